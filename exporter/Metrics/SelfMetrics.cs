using System.Collections.Immutable;
using System.IO.Hashing;
using System.Reflection;
using System.Text;
using Prometheus;

namespace PipelineExporter.Metrics;

/// <summary>
/// The exporter's own counters and its process: instrumentation that lives as long as the process does, unlike the families of
/// the sources, and so stands in one registry of its own.
/// </summary>
internal sealed class SelfMetrics
{
    private static readonly MetricDesc BuildInfo = MetricDesc.Gauge(
        "pipeline_exporter_build_info", "A metric with the constant value 1 and the exporter's version.", "version");

    private static readonly MetricDesc SourceRequests = MetricDesc.Counter(
        "pipeline_exporter_source_requests_total", "Requests sent to the source, retries included, by how they ended.", "source", "outcome");

    private static readonly MetricDesc StateSetAside = MetricDesc.Gauge(
        "pipeline_exporter_state_set_aside", "Whether a damaged state file was set aside when the exporter started (1), so that counting began anew.");

    private readonly Counter requests;

    public SelfMetrics(bool stateSetAside)
    {
        DotNetStats.Register(Registry);
        var factory = Prometheus.Metrics.WithCustomRegistry(Registry);
        factory.CreateGauge(BuildInfo.Name, BuildInfo.Help, [.. BuildInfo.Labels]).WithLabels(Version).Set(1);
        factory.CreateGauge(StateSetAside.Name, StateSetAside.Help).Set(stateSetAside ? 1 : 0);
        requests = factory.CreateCounter(SourceRequests.Name, SourceRequests.Help, [.. SourceRequests.Labels]);
    }

    public static IReadOnlyList<MetricDesc> Families { get; } = [BuildInfo, SourceRequests, StateSetAside];

    public static string Version { get; } =
        typeof(SelfMetrics).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";

    private CollectorRegistry Registry { get; } = Prometheus.Metrics.NewCustomRegistry();

    /// <summary>Counts and times the requests that the server answers.</summary>
    public void MeasureHttp(IApplicationBuilder app) => app.UseHttpMetrics(http =>
        http.RequestCount.Registry = http.RequestDuration.Registry = http.InProgress.Registry = Registry);

    /// <summary>Counts one request to a source. <paramref name="outcome"/> is one of a few fixed words.</summary>
    public void CountRequest(string source, string outcome) => requests.WithLabels(source, outcome).Inc();

    /// <summary>Renders every family of the registry; one that did not change is taken from <paramref name="previous"/>.</summary>
    public async Task<ImmutableArray<FamilyPart>> RenderAsync(ImmutableArray<FamilyPart> previous, CancellationToken cancellationToken)
    {
        using var text = new MemoryStream();
        await Registry.CollectAndExportAsTextAsync(text, ExpositionFormat.PrometheusText, cancellationToken);
        return Split(text.GetBuffer().AsSpan(0, (int)text.Length), previous);
    }

    // A family is "# HELP …\n# TYPE …\n" and its samples, up to the next HELP.
    private static ImmutableArray<FamilyPart> Split(ReadOnlySpan<byte> text, ImmutableArray<FamilyPart> previous)
    {
        var parts = ImmutableArray.CreateBuilder<FamilyPart>();
        while (!text.IsEmpty)
        {
            var next = text[1..].IndexOf("\n# HELP "u8);
            var family = next < 0 ? text : text[..(next + 2)];
            text = text[family.Length..];
            var header = family[..(family.IndexOf((byte)'\n') + 1)].Length;
            header += family[header..].IndexOf((byte)'\n') + 1;
            var lines = family[header..];
            if (lines.IsEmpty)
                continue;
            var name = Encoding.UTF8.GetString(family["# HELP ".Length..]);
            name = name[..name.IndexOf(' ')];
            var fingerprint = XxHash128.HashToUInt128(family);
            var before = previous.FirstOrDefault(part => part.Name == name);
            parts.Add(before?.Fingerprint == fingerprint
                ? before
                : new(name, Source: "", before?.Header ?? DeflatedText.Of(family[..header]), DeflatedText.Of(lines), lines.Count((byte)'\n'), fingerprint));
        }

        return parts.ToImmutable();
    }
}
