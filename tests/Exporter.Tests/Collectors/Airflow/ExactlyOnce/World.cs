using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Tests.Collectors.Airflow.ExactlyOnce;

/// <summary>Two Airflows whose runs and tasks have the same names, an exporter that watches both, and time.</summary>
internal sealed class World
{
    private static readonly DateTimeOffset Start = new(2026, 11, 23, 6, 0, 0, TimeSpan.Zero);

    private readonly FakeTimeProvider time;
    private readonly Clocks clocks;
    private readonly Queue<(DateTimeOffset At, Change Change)> due = [];
    private readonly Dictionary<WatchedAirflow, SortedDictionary<string, double>> before = [];
    private DateTimeOffset now = Start;
    private TimeSpan pause;

    public World(string version, Clocks clocks)
    {
        this.clocks = clocks;
        time = new FakeTimeProvider(Start + clocks.Exporter);
        Airflows = [new WatchedAirflow("production", version), new WatchedAirflow("staging", version)];
        foreach (var network in Airflows.Select(airflow => airflow.Network))
            (network.Passing, network.Clock) = (() => PassTo(now + pause), () => now);
        Exporter = new ModelExporter(time, [.. Airflows.Select(airflow => (airflow.Name, airflow.Network))]);
    }

    public WatchedAirflow[] Airflows { get; }

    public ModelExporter Exporter { get; }

    /// <summary>Time passes, with what happens meanwhile, and the exporter looks.</summary>
    public async Task RunAsync(Round round)
    {
        var from = now;
        foreach (var change in round.Changes.OrderBy(change => change.At))
            due.Enqueue((from + (change.At / 1000.0 * TimeSpan.FromSeconds(round.Wait)), change));
        PassTo(from + TimeSpan.FromSeconds(round.Wait));

        pause = TimeSpan.FromMilliseconds(round.Pause);
        var failures = round.Look is Look.Fail or Look.FailAndKill ? round.FailAt : int.MaxValue;
        foreach (var airflow in Airflows)
            airflow.Network.Fails = () => --failures == 0;
        if (round.Look == Look.Restart)
            Exporter.Restart();
        foreach (var airflow in Airflows)
        {
            await LookAsync(airflow, Exporter.Collectors[airflow.Name].Runs, airflow.Expected.Runs);
            await LookAsync(airflow, Exporter.Collectors[airflow.Name].Tasks, airflow.Expected.Tasks);
            if (round.Look is Look.Kill or Look.FailAndKill)
                Exporter.Kill();
        }
        pause = TimeSpan.Zero;
    }

    private async Task LookAsync(WatchedAirflow airflow, ICollector collector, Action<Shown> expect)
    {
        airflow.Network.TakeShown();
        try
        {
            await collector.FetchAsync(CancellationToken.None);
        }
        catch (AirflowException e) when (e.Message.Contains("answered 500", StringComparison.Ordinal))
        {
            return; // as planned: what it showed does not count
        }
        expect(airflow.Network.TakeShown());

        var counted = Exporter.Counted(airflow.Name);
        airflow.Model.Journal.Add($"{now:HH:mm:ss.fff} {collector.Name}");
        Same(airflow.Expected.Counted, counted, airflow.Model.Journal);
        foreach (var (series, value) in before.GetValueOrDefault(airflow) ?? [])
            Assert.True(counted.GetValueOrDefault(series) >= value, $"{series} went back from {value}");
        before[airflow] = counted;
    }

    private static void Same(SortedDictionary<string, double> expected, SortedDictionary<string, double> counted, IEnumerable<string> journal)
    {
        string[] wrong =
        [
            .. from series in expected.Keys.Union(counted.Keys)
               let pair = (Expected: expected.GetValueOrDefault(series), Counted: counted.GetValueOrDefault(series))
               where Math.Abs(pair.Expected - pair.Counted) > 0.001
               select $"{series}: {pair.Counted} instead of {pair.Expected}",
        ];
        Assert.True(wrong.Length == 0, string.Join('\n', [.. wrong, .. journal]));
    }

    private void PassTo(DateTimeOffset instant)
    {
        while (due.TryPeek(out var next) && next.At <= instant)
        {
            var (at, change) = due.Dequeue();
            if (at > now)
                now = at;
            Airflows[change.Airflow].Model.Do(change.Action, change.Who, change.What, now + clocks.Workers - change.Lag);
        }
        now = instant;
        time.SetUtcNow(now + clocks.Exporter);
    }
}

internal sealed class WatchedAirflow
{
    public WatchedAirflow(string name, string version)
    {
        Name = name;
        Model = new ModelAirflow(isThree: version[0] == '3');
        Network = new ModelNetwork(Model, version);
        Expected = new ModelLedger(Model.IsThree);
    }

    public string Name { get; }

    public ModelAirflow Model { get; }

    public ModelNetwork Network { get; }

    public ModelLedger Expected { get; }
}

internal enum Look
{
    Poll,
    Restart,
    Kill,
    Fail,
    FailAndKill,
}

/// <summary>How far clocks are off that of the web server.</summary>
internal sealed record Clocks(TimeSpan Exporter, TimeSpan Workers);

/// <param name="At">Thousandths of the time from one look of the exporter to the next; the last ones happen while it looks.</param>
/// <param name="Lag">How long after its dates it is committed.</param>
/// <param name="Airflow">The first or the second one.</param>
internal sealed record Change(int At, ModelAction Action, int Who, int What, TimeSpan Lag, int Airflow);

/// <param name="Wait">Seconds before the exporter looks.</param>
/// <param name="Look">And how it looks.</param>
/// <param name="FailAt">The request that fails, if one is to fail.</param>
/// <param name="Pause">Milliseconds that each request takes.</param>
internal sealed record Round(int Wait, Change[] Changes, Look Look, int FailAt, int Pause)
{
    public override string ToString() => $"{Look} after {Wait} s (fail at {FailAt}, pause {Pause}): {string.Join(" | ", Changes.OrderBy(change => change.At))}";
}
