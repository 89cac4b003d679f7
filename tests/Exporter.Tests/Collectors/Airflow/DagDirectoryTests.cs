using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Collectors;
using PipelineExporter.Collectors.Airflow;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;
using PipelineExporter.Sources.Airflow;
using PipelineExporter.Stack.Tests.Tools;
using PipelineExporter.State;
using PipelineExporter.Tests.Scraping;
using static PipelineExporter.Tests.Collectors.Airflow.Rows;

namespace PipelineExporter.Tests.Collectors.Airflow;

/// <summary>What is published of DAGs that come and go, through the runners and over restarts.</summary>
public sealed class DagDirectoryTests : IAsyncLifetime
{
    private const string Failed = """airflow_dag_runs_total{environment="production",dag_id="music",run_type="scheduled",state="failed"} """;

    private readonly TemporaryDirectory folder = new();
    private readonly FakeTimeProvider time = new(Noon);
    private ListServer server = null!;
    private Ledger ledger = null!;
    private ScrapeLog scrapes = null!;
    private SnapshotStore store = null!;
    private IReadOnlyList<CollectorRunner> runners = [];
    private Func<string, bool> includes = _ => true;

    public async ValueTask InitializeAsync()
    {
        server = await ListServer.StartAsync("3.3.2");
        server.Dags = [Dag()];
        Start();
    }

    public async ValueTask DisposeAsync()
    {
        ledger.Dispose();
        await server.DisposeAsync();
        folder.Dispose();
    }

    [Fact]
    public async Task A_DAG_that_is_listed_no_more_disappears_an_hour_later_with_all_its_series()
    {
        await PollAsync(0, ScheduledRun("failed", due: -2, start: -2, end: -1));
        server.Instances = [Instance("running", 1, start: -1)];
        await PollAsync(1);
        Assert.Contains("dag_id=\"music\"", Page());

        server.Dags = [];
        await PollAsync(6); // from here on it is gone
        await PollAsync(65);
        Assert.Contains(Failed, Page());
        await PollAsync(67);

        Assert.DoesNotContain("dag_id=\"music\"", Page());
    }

    [Fact]
    public async Task A_DAG_that_returns_within_the_hour_was_never_away_and_one_that_returns_later_is_not_recounted()
    {
        await PollAsync(0);
        await PollAsync(2, ScheduledRun("failed", due: 1, start: 1, end: 1.5));
        await SettleAsync(3);
        Assert.Contains(Failed + "1\n", Page());
        server.Dags = [];
        await PollAsync(10);
        server.Dags = [Dag()];
        await PollAsync(60);
        Assert.Contains(Failed + "1\n", Page());

        server.Dags = [];
        await PollAsync(70);
        await PollAsync(140);
        Assert.DoesNotContain(Failed, Page());
        server.Dags = [Dag()];
        await PollAsync(150, ScheduledRun("failed", due: 1, start: 1, end: 1.5));
        await SettleAsync(151);

        Assert.Contains(Failed + "1\n", Page());
    }

    [Fact]
    public async Task What_was_counted_while_a_DAG_was_not_shown_is_seen_to_be_added_when_it_returns()
    {
        await PollAsync(0);
        await SettleAsync(1);
        server.Dags = [];
        await PollAsync(10);
        await PollAsync(80);
        await PollAsync(81, ScheduledRun("failed", due: 80, start: 80, end: 80.5));
        Assert.DoesNotContain(Failed, Page());

        server.Dags = [Dag()];
        await PollAsync(90);
        Assert.Contains(Failed + "0\n", Page());
        await SettleAsync(91);

        Assert.Contains(Failed + "1\n", Page());
    }

    [Fact]
    public async Task The_hour_goes_on_over_a_restart_and_begins_for_a_DAG_that_went_while_the_exporter_was_down()
    {
        server.Dags = [Dag(), Dag("other")];
        await PollAsync(0);
        server.Dags = [Dag("other")];
        await PollAsync(10);

        Restart();
        await PollAsync(60);
        Assert.Contains(Failed, Page());
        server.Dags = [];
        Restart();
        await PollAsync(75);

        Assert.DoesNotContain("dag_id=\"music\"", Page());
        Assert.Contains("dag_id=\"other\"", Page());
        await PollAsync(140);
        Assert.DoesNotContain("dag_id=\"other\"", Page());
    }

    [Fact]
    public async Task A_DAG_that_the_configuration_leaves_out_now_is_counted_no_more_and_disappears_likewise()
    {
        await PollAsync(0);
        includes = dag => dag != "music";
        Restart();
        await PollAsync(2, ScheduledRun("failed", due: 1, start: 1, end: 1.5));
        await SettleAsync(3);
        Assert.Contains(Failed + "0\n", Page());
        await PollAsync(70);

        Assert.DoesNotContain("dag_id=\"music\"", Page());
    }

    private string Page() => store.Page.Text();

    private async Task PollAsync(double minute, params JsonNode[] runs)
    {
        time.SetUtcNow(Noon + TimeSpan.FromMinutes(minute));
        (server.Date, server.Runs) = (time.GetUtcNow(), [.. runs]);
        foreach (var runner in runners)
        {
            await runner.RunOnceAsync(TestContext.Current.CancellationToken);
            Assert.True(runner.Status!.Succeeded, runner.Status.Error);
        }
    }

    /// <summary>Two scrapes and a minute, after which a held value is released.</summary>
    private async Task SettleAsync(double minute)
    {
        await PollAsync(minute, [.. server.Runs]);
        scrapes.Answered(store.Page.Generation);
        scrapes.Answered(store.Page.Generation);
        await PollAsync(minute + 1.5, [.. server.Runs]);
        await PollAsync(minute + 1.6, [.. server.Runs]);
    }

    private void Restart()
    {
        ledger.Dispose();
        Start();
    }

    private void Start()
    {
        (scrapes, store) = (new(), new());
        ledger = new Ledger(StateFile.Open(folder.Path, time, NullLogger.Instance), scrapes, time, LedgerOptions.Default);
        var settings = new AirflowCollection(new AirflowEndpoint("production", server.Url, null), [], TimeSpan.FromSeconds(30), TimeSpan.FromHours(1))
        {
            Includes = dag => includes(dag),
            Skip = ["airflow_health", "airflow_pools"],
        };
        runners =
        [
            .. AirflowCollectors.For(settings, new CollectorContext(ledger, time, NullLoggerFactory.Instance, (_, _) => { })).Select(
                collector => new CollectorRunner(collector, ledger, store, RunnerOptions.For(collector.Interval) with { StaleAfter = TimeSpan.FromDays(1) }, time, NullLogger.Instance)),
        ];
    }
}
