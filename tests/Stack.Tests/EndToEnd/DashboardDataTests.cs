using PipelineExporter.Stack.Tests.Grafana;

namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>Every panel is asked of the real Prometheus of the stack, as Grafana asks it, and answers with data.</summary>
public sealed class DashboardDataTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    /// <summary>The simulated account denies nothing.</summary>
    private static readonly string[] Unseen = ["pipeline_exporter_aws_access_denied"];

    [Fact]
    public async Task Every_panel_and_variable_of_every_dashboard_has_data_while_a_run_fails()
    {
        await using var stack = await ComposeStack.StartAsync(ScaledTimes.Edit);
        var from = TimeProvider.System.GetUtcNow();
        using var simulator = new SimulatorClient(stack.Simulator);
        // This test reads the page too, which ends the hold of new counters: Prometheus, which takes some seconds to begin, must have
        // seen them at zero before anything fails.
        using var prometheus = new PrometheusClient(stack.Prometheus);
        await prometheus.WaitAsync(
            $$"""count_over_time(airflow_task_instances_finished_total{dag_id="{{Messages.Dag}}",state="failed"}[1m])""",
            samples => samples.Any(sample => sample.Value >= 3), TimeSpan.FromMinutes(1), stack.Output);
        await simulator.StartIncidentAsync("dag_failure");

        using var http = new HttpClient();
        var waiting = DashboardQuery.All(TimeSpan.FromSeconds(15), TimeSpan.FromMinutes(2))
            .Where(query => !query.Place.StartsWith("annotation", StringComparison.Ordinal))
            .Where(query => !PromQl.Parse(query.Expression).Selectors.All(selector => Unseen.Contains(selector.Metric))).ToList();
        var asked = waiting.Count;
        // What runs, or waits in a queue, at one moment is not on the page of the next: pages are read until each metric that a dashboard
        // names was on one of them.
        var named = Dashboard.All.SelectMany(dashboard => DashboardQuery.Of(dashboard, TimeSpan.FromMinutes(2), TimeSpan.FromHours(24)))
            .SelectMany(query => PromQl.Parse(query.Expression).Selectors).Select(selector => selector.Metric).Except(Unseen).ToHashSet();
        var pages = MetricCatalog.OfPrometheusItself();
        while (waiting.Count > 0 || !named.All(pages.Has))
        {
            var still = new List<DashboardQuery>();
            foreach (var query in waiting)
            {
                if (await query.CountSeriesAsync(http, stack.Prometheus, from, TimeProvider.System.GetUtcNow(), TestContext.Current.CancellationToken) == 0)
                    still.Add(query);
            }

            waiting = still;
            pages = pages.With(MetricCatalog.OfPage(await http.GetStringAsync(new Uri(stack.Exporter, "metrics"), TestContext.Current.CancellationToken)));
            if (TimeProvider.System.GetUtcNow() - from > Patience)
            {
                Assert.Fail(
                    $"No data within {Patience} for\n{string.Join('\n', waiting.Select(query => $"{query}\n  {query.Expression}"))}\n"
                    + $"and on no page\n{string.Join('\n', named.Where(metric => !pages.Has(metric)))}\n{stack.Output()}");
            }

            await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        }

        output.WriteLine($"{asked} queries of {Dashboard.All.Count} dashboard(s) had data after {(TimeProvider.System.GetUtcNow() - from).TotalSeconds:0} s");
        Assert.DoesNotContain(Unseen, pages.Has);
        foreach (var metric in Unseen)
            pages.Add(metric, [.. DeclaredMetrics.Catalog.LabelsOf(metric)]);
        Assert.All(Dashboard.All, dashboard => DashboardQueriesTests.AssertKnown(dashboard, pages));
    }
}
