using CsCheck;

namespace PipelineExporter.Tests.Collectors.Airflow.ExactlyOnce;

/// <summary>Whatever happens in an Airflow, and whenever the exporter looks, fails, restarts or is killed: what was shown is counted once.</summary>
public sealed class ExactlyOncePropertyTests
{
    private static readonly Gen<ModelAction> Actions = Frequencies(
        (6, ModelAction.StartRun), (34, ModelAction.Step), (9, ModelAction.StepRun), (7, ModelAction.Clear), (3, ModelAction.ClearRun), (4, ModelAction.Edit),
        (3, ModelAction.EditRun), (2, ModelAction.TimeOut), (1, ModelAction.Delete), (2, ModelAction.Crash), (1, ModelAction.Grow), (3, ModelAction.Shrink),
        (2, ModelAction.Touch), (2, ModelAction.RewriteEnd));

    private static readonly Gen<Change> Changes = Gen.Select(Gen.Int[0, 1100], Actions, Gen.Int[0, 100], Gen.Int[0, 40_000], Gen.Int[0, 8000], Gen.Int[0, 1])
        .Select((at, action, who, what, lag, airflow) => new Change(at, action, who, what, TimeSpan.FromMilliseconds(lag), airflow));

    /// <summary>Mostly the time between two polls; sometimes the exporter is away for an hour, or some days.</summary>
    private static readonly Gen<int> Waits = Gen.Frequency((20, Gen.Int[5, 120]), (2, Gen.Int[120, 3600]), (1, Gen.Int[3600, 3 * 86_400]));

    private static readonly Gen<Look> Looks = Frequencies((12, Look.Poll), (2, Look.Restart), (3, Look.Kill), (4, Look.Fail), (2, Look.FailAndKill));

    private static readonly Gen<Round> Rounds = Gen.Select(Waits, Changes.Array[0, 12], Looks, Gen.Int[1, 12], Gen.Int[0, 1500])
        .Select((wait, changes, look, failAt, pause) => new Round(wait, changes, look, failAt, pause));

    /// <summary>The exporter's clock may be minutes off; that of the workers has to be within the overlap of the polls.</summary>
    private static readonly Gen<Clocks> AllClocks = Gen.Select(Gen.Int[-600, 600], Gen.Int[-45, 45])
        .Select((exporter, workers) => new Clocks(TimeSpan.FromSeconds(exporter), TimeSpan.FromSeconds(workers)));

    /// <summary>How many histories; more when the environment says so.</summary>
    private static int Cases => int.TryParse(Environment.GetEnvironmentVariable("EXACTLY_ONCE_CASES"), out var cases) ? cases : 60;

    [Theory]
    [InlineData("2.11.2")]
    [InlineData("3.3.2")]
    public async Task What_was_shown_is_counted_once_and_nothing_else_is(string version)
    {
        var (told, untold) = (0, 0);
        await Gen.Select(AllClocks, Rounds.Array[1, 20]).SampleAsync(
            async (clocks, rounds) =>
            {
                var world = new World(version, clocks);
                using var exporter = world.Exporter;
                foreach (var round in rounds)
                    await world.RunAsync(round);
                foreach (var airflow in world.Airflows)
                {
                    var balance = airflow.Expected.Balance(airflow.Model);
                    Interlocked.Add(ref told, balance.Told);
                    Interlocked.Add(ref untold, balance.Untold);
                }
            },
            iter: Cases, threads: 2);

        // The property would say little of an Airflow in which hardly anything happens or can be seen.
        TestContext.Current.TestOutputHelper?.WriteLine($"{told} tries known, {untold} not shown");
        Assert.True(told > 2 * Cases && told > 2 * untold, $"{told} tries known, {untold} not shown");
    }

    private static Gen<T> Frequencies<T>(params (int, T)[] weights) => Gen.Frequency([.. weights.Select(weight => (weight.Item1, Gen.Const(weight.Item2)))]);
}
