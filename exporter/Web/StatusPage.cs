using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using PipelineExporter.Collectors;
using PipelineExporter.Metrics;
using PipelineExporter.Scraping;

namespace PipelineExporter.Web;

/// <summary>The page at /: what is collected from where, and whether it works.</summary>
internal static class StatusPage
{
    public static IResult Render(IReadOnlyList<CollectorRunner> runners, string telemetryPath, ImmutableArray<KeyValuePair<string, Uri>> links, TimeProvider time)
    {
        var body = new StringBuilder();
        body.Append(CultureInfo.InvariantCulture, $"<h1>Pipeline exporter {Page.Text(SelfMetrics.Version)}</h1>")
            .Append(CultureInfo.InvariantCulture, $"""<p><a href="{Page.Text(telemetryPath)}">Metrics</a> · <a href="/runbooks/">Runbooks</a> · <a href="/-/ready">Ready</a>""")
            .AppendJoin("", links.Select(link => $""" · <a href="{Page.Text(link.Value.AbsoluteUri)}">{Page.Text(link.Key)}</a>"""))
            .Append("</p>")
            .Append("<table><thead><tr><th>Collector</th><th>Source</th><th>Every</th><th>State</th><th>Last success</th><th>Took</th></tr></thead><tbody>");
        foreach (var runner in runners)
        {
            body.Append(CultureInfo.InvariantCulture, $"<tr><td>{Page.Text(runner.Collector.Name)}</td><td>{Page.Text(runner.Collector.Source)}</td>")
                .Append(CultureInfo.InvariantCulture, $"<td>{runner.Collector.Interval.TotalSeconds:0.#} s</td>");
            if (runner.Status is not var (succeeded, lastSuccess, duration, error))
            {
                body.Append("""<td colspan="3">collecting for the first time</td></tr>""");
                continue;
            }

            body.Append(succeeded ? """<td class="ok">ok</td>""" : $"""<td class="bad">failing: {Page.Text(error)}</td>""")
                .Append(CultureInfo.InvariantCulture, $"<td>{(lastSuccess is { } at ? $"{(time.GetUtcNow() - at).TotalSeconds:0} s ago" : "never")}</td>")
                .Append(CultureInfo.InvariantCulture, $"<td>{duration.TotalSeconds:0.000} s</td></tr>");
        }

        return Page.Html("Pipeline exporter", body.Append("</tbody></table>").ToString());
    }
}
