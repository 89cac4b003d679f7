using System.Text.Json.Nodes;
using PipelineExporter.Collectors.Airflow;
using static PipelineExporter.Tests.Collectors.Airflow.Rows;

namespace PipelineExporter.Tests.Collectors.Airflow.ExactlyOnce;

/// <summary>What the property found, by name.</summary>
public sealed class ExactlyOnceRegressionTests
{
    /// <remarks>Cleared while it waited, which writes down a try that never ran, and then upstream_failed under its number.</remarks>
    [Fact]
    public async Task An_instance_that_is_upstream_failed_after_a_clear_has_no_try_of_that_state()
    {
        await using var server = await ListServer.StartAsync("2.11.2");
        using var exporter = new ReplayedExporter(server.Url);
        await PollAsync(server, exporter, 0);
        var row = Instance("upstream_failed", 1, maxTries: 1, start: 3, end: 2);
        server.Tries[TriesPath()] = [Instance("failed", 1, maxTries: 0, end: 2), row];

        await PollAsync(server, exporter, 4, row);
        await PollAsync(server, exporter, 5, row);

        Assert.Empty(exporter.Counted(TaskMetrics.Tries));
        Assert.Equal("music load upstream_failed", Assert.Single(exporter.Counted(TaskMetrics.Finished)).Key);
    }

    /// <remarks>It ran and succeeded, was cleared, and is upstream_failed before it runs again: another outcome.</remarks>
    [Fact]
    public async Task An_outcome_without_a_try_counts_beside_the_try_whose_number_it_carries()
    {
        await using var server = await ListServer.StartAsync("3.3.2");
        using var exporter = new ReplayedExporter(server.Url);
        await PollAsync(server, exporter, 0);
        await PollAsync(server, exporter, 2, Instance("success", 1, maxTries: 0, start: 1, end: 2));

        await PollAsync(server, exporter, 4, Instance("upstream_failed", 1, maxTries: 1, start: 1, end: 2));
        await PollAsync(server, exporter, 5, Instance("upstream_failed", 1, maxTries: 1, start: 1, end: 2));

        Assert.Equal("music load success", Assert.Single(exporter.Counted(TaskMetrics.Tries)).Key);
        Assert.Equal(["music load success", "music load upstream_failed"], exporter.Counted(TaskMetrics.Finished).Keys);
        Assert.All(exporter.Counted(TaskMetrics.Finished).Values, count => Assert.Equal(1, count));
    }

    /// <remarks>A task mapped over nothing has no dates of its own; its run's date is that of the data, which may be years old.</remarks>
    [Theory]
    [InlineData("2.11.2", "execution_date")]
    [InlineData("3.3.2", "logical_date")]
    public async Task An_outcome_without_dates_in_a_backfill_of_years_ago_counts(string version, string name)
    {
        await using var server = await ListServer.StartAsync(version);
        using var exporter = new ReplayedExporter(server.Url);
        await PollAsync(server, exporter, 0);
        var row = Instance("skipped", 0);
        (row[name], row["run_after"]) = ("2019-03-01T00:00:00Z", "2019-03-02T00:00:00Z");

        await PollAsync(server, exporter, 2, row);
        await PollAsync(server, exporter, 3, row);

        Assert.Equal(("music load skipped", 1.0), Assert.Single(exporter.Counted(TaskMetrics.Finished).Select(series => (series.Key, series.Value))));
    }

    [Theory]
    [InlineData("2.11.2")]
    [InlineData("3.3.2")]
    public async Task A_run_that_is_ended_by_hand_before_it_starts_counts_each_time(string version)
    {
        await using var server = await ListServer.StartAsync(version);
        using var exporter = new ReplayedExporter(server.Url);
        await RunsAsync(0, Run("queued", start: null));

        await RunsAsync(2, Run("failed", start: null, end: 1.5));
        await RunsAsync(3, Run("success", start: null, end: 1.5)); // edited: the same finish
        await RunsAsync(4, Run("queued", start: null));
        await RunsAsync(5, Run("failed", start: null, end: 4.5));
        await RunsAsync(6, Run("failed", start: null, end: 4.5));

        Assert.Equal(("music scheduled failed", 2.0), Assert.Single(exporter.Counted(RunMetrics.Finished).Select(series => (series.Key, series.Value))));

        Task RunsAsync(double minute, params JsonNode[] runs)
        {
            (server.Date, server.Runs) = (Noon + TimeSpan.FromMinutes(minute), [.. runs]);
            return exporter.PollAsync(server.Date, "airflow_runs");
        }
    }

    private static Task PollAsync(ListServer server, ReplayedExporter exporter, double minute, params JsonNode[] instances)
    {
        (server.Date, server.Instances) = (Noon + TimeSpan.FromMinutes(minute), [.. instances]);
        return exporter.PollAsync(server.Date, "airflow_tasks");
    }
}
