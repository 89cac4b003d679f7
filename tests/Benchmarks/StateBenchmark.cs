using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using PipelineExporter.Metrics;
using PipelineExporter.State;

namespace PipelineExporter.Benchmarks;

/// <summary>
/// The state file of an Airflow that finishes 100,000 task instances, of which 1 % are retried, and 20,000 DAG runs a day: after
/// the 35 days that keys are kept, and in the days after that.
/// </summary>
internal static class StateBenchmark
{
    private const int Tasks = 100_000;
    private const int Runs = 20_000;
    private const int KeysOfRetries = Tasks / 100 * 3;
    private const int KeysADay = Tasks + Runs + KeysOfRetries;

    /// <summary>The days of which keys are kept: they are counted in one poll each, so that the benchmark ends today.</summary>
    private const int DaysKept = 36;

    /// <summary>Further days are of polls of 30 seconds, each of which also forgets old keys.</summary>
    private const int FurtherDays = 3;

    private const int PollsADay = 2880;

    private const int Dags = 500;

    private static readonly MetricDesc Tries = MetricDesc.Counter("airflow_task_tries_total", "Tries.", "dag_id", "task_id", "state");
    private static readonly MetricDesc Durations = MetricDesc.Histogram("airflow_task_duration_seconds", "Durations.", [], "dag_id", "task_id");

    public static int Run()
    {
        // In memory where the system has such a directory: the speed of a disk that others use as well is none of the exporter's.
        var memory = Directory.Exists("/dev/shm");
        var folder = Directory.CreateDirectory(Path.Combine(memory ? "/dev/shm" : Path.GetTempPath(), "pipeline-exporter-benchmark-" + Path.GetRandomFileName()));
        Console.WriteLine(memory ? "In memory: no time is that of a disk." : "On a disk.");
        try
        {
            return Measure(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static int Measure(string folder)
    {
        var report = new Report();
        var file = Path.Combine(folder, "state.db");
        var clock = new Clock();
        var polls = new List<TimeSpan>();
        long full;
        using (var ledger = Open(folder, clock))
        {
            var source = ledger.For("airflow/production");
            for (var day = 0; day < DaysKept; day++)
            {
                Poll(source, clock, day, 0, KeysADay);
                clock.Now += TimeSpan.FromDays(1);
            }

            full = new FileInfo(file).Length;
            for (var day = DaysKept; day < DaysKept + FurtherDays; day++)
            {
                for (var poll = 0; poll < PollsADay; poll++)
                {
                    polls.Add(Poll(source, clock, day, poll, KeysADay / PollsADay));
                    clock.Now += TimeSpan.FromDays(1) / PollsADay;
                }
            }
        }

        var keys = (double)DaysKept * KeysADay;
        Console.WriteLine($"{KeysADay} keys a day; those of {DaysKept} days are kept: {keys / 1e6:0.0} million");
        report.Line("file when it holds all of them", full / 1e6, "MB", atMost: 100);
        report.Line($"file {FurtherDays} days later, when old keys were forgotten all the time", new FileInfo(file).Length / 1e6, "MB", atMost: 100);
        report.Line("a key", new FileInfo(file).Length / keys, "B");

        var watch = Stopwatch.StartNew();
        var before = Environment.CpuUsage.TotalTime;
        using (var ledger = Open(folder, clock))
        {
            ledger.For("airflow/production");
            report.Line("start-up: check of the whole file, series read", watch.Elapsed.TotalSeconds, "s");
            report.Line("start-up, CPU", (Environment.CpuUsage.TotalTime - before).TotalSeconds, "s", atMost: 2);

            // As after a restart, or where many rows come back.
            before = Environment.CpuUsage.TotalTime;
            Poll(ledger.For("airflow/production"), clock, DaysKept + FurtherDays, 0, 500, known: 4500);
            report.Line("a poll that looks 5,000 events up and counts 500 of them, CPU", (Environment.CpuUsage.TotalTime - before).TotalMilliseconds, "ms", atMost: 500);
        }

        polls.Sort();
        report.Line($"a poll of 30 seconds: {KeysADay / PollsADay} new keys, 5,000 looked at for old ones; median", polls[polls.Count / 2].TotalMilliseconds, "ms");
        report.Line($"the slowest of {polls.Count}", polls[^1].TotalMilliseconds, "ms", atMost: 2000);
        report.Line("peak resident memory", Report.MemoryMiB("VmHWM"), "MiB", atMost: 150);
        return report.ExitCode;
    }

    private static Ledger Open(string folder, TimeProvider clock) =>
        new(StateFile.Open(folder, clock, NullLogger.Instance), new ScrapeLog(), clock, LedgerOptions.Default);

    /// <param name="news">Events that are new.</param>
    /// <param name="known">Events of earlier days that come back.</param>
    private static TimeSpan Poll(SourceLedger source, Clock clock, int day, int poll, int news, int known = 0)
    {
        var watch = Stopwatch.StartNew();
        var batch = source.Begin();
        for (var i = 0; i < known; i++)
        {
            if (batch.TryRecord(Key(DaysKept - 1 - (i % 30), 0, i), clock.Now))
                throw new InvalidOperationException("an event was forgotten");
        }

        for (var i = 0; i < news; i++)
        {
            if (!batch.TryRecord(Key(day, poll, i), clock.Now))
                throw new InvalidOperationException("an event was taken for another");
            var (dag, task) = ($"dag_{i % Dags}", $"task_{i % 7}");
            batch.Add(Tries, 1, dag, task, "success");
            batch.Observe(Durations, i, dag, task);
        }

        batch.SetValue("airflow_tasks.read", $"{clock.Now:O}");
        batch.Commit();
        return watch.Elapsed;
    }

    private static EventKey Key(int day, int poll, int i) => EventKey.Of("try", "production", $"dag_{i % Dags}", $"scheduled__{day}-{poll}", $"task_{i}", "-1", "1");

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
