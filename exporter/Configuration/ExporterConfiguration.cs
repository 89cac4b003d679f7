using System.Collections.Immutable;
using System.Text;

namespace PipelineExporter.Configuration;

/// <summary>exporter.yml, read and found right. Immutable. A key is one line: its property, type, default and meaning.</summary>
internal sealed class ExporterConfiguration(Section s)
{
    public ImmutableArray<AirflowSettings> Airflow { get; } = s.List("airflow", AirflowSettings.Read, a => a.Environment, "environment",
        "The Airflows to watch.");

    public ImmutableArray<AwsSettings> Aws { get; } = s.List("aws", AwsSettings.Read, a => a.Name, "name",
        "The AWS accounts and regions to watch.", AwsSettings.Clash);

    public ThresholdSettings Thresholds { get; } = s.ChildOrDefault("thresholds", x => new ThresholdSettings(x), "How long is too long.");

    public WebSettings Web { get; } = s.ChildOrDefault("web", x => new WebSettings(x), "Where the status page leads on to.");

    public StateSettings State { get; } = s.ChildOrDefault("state", x => new StateSettings(x), "What is remembered.");

    /// <exception cref="ConfigurationException">Every error, ordered by line.</exception>
    public static ExporterConfiguration Load(string file)
    {
        var errors = new ConfigurationErrors(file);
        byte[] bytes;
        try
        {
            bytes = ReadBounded(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            errors.Add(Position.None, "", e switch
            {
                FileNotFoundException or DirectoryNotFoundException => "there is no such file",
                UnauthorizedAccessException when Directory.Exists(file) => "is a directory, not a file",
                UnauthorizedAccessException => "permission to read it is denied",
                _ => "cannot be read",
            });
            errors.ThrowIfAny();
            throw;
        }

        return Parse(bytes, file, Path.GetDirectoryName(Path.GetFullPath(file))!, Environment.GetEnvironmentVariable);
    }

    /// <param name="yaml">The text of the configuration.</param>
    /// <param name="file">What errors call it.</param>
    /// <param name="environment">Environment variables by name; the process' own unless given.</param>
    /// <exception cref="ConfigurationException">Every error, ordered by line.</exception>
    public static ExporterConfiguration Parse(string yaml, string file = "exporter.yml", Func<string, string?>? environment = null) =>
        Parse(Encoding.UTF8.GetBytes(yaml), file, Directory.GetCurrentDirectory(), environment ?? Environment.GetEnvironmentVariable);

    /// <param name="directory">Full path of where relative paths begin.</param>
    /// <inheritdoc cref="Parse(string, string, Func{string, string?})"/>
    public static ExporterConfiguration Parse(
        ReadOnlySpan<byte> yaml, string file, string directory, Func<string, string?> environment)
    {
        var errors = new ConfigurationErrors(file);
        var configuration = Section.ReadFile(YamlDocument.Parse(yaml, errors), directory, environment, errors, Read);
        errors.ThrowIfAny();
        return configuration!;
    }

    /// <summary>Every key with its type, default and meaning: docs/configuration.md is made of it.</summary>
    public static IReadOnlyList<KeyReference> Reference() => Section.Describe(Read);

    private static ExporterConfiguration Read(Section s)
    {
        var configuration = new ExporterConfiguration(s);
        s.NotSupported("cloudwatch", "data_quality", "kpi", "deadlines", "retention", "prices", "budget",
            "s3", "dynamodb", "logs");
        if (!s.Describing && !s.HasItems("airflow") && !s.HasItems("aws"))
        {
            s.Error("names no source: add airflow, aws, or both");
        }

        return configuration;
    }

    private static byte[] ReadBounded(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[YamlDocument.MaxBytes + 1]; // one more than is allowed, so that the parser can refuse it
        return bytes[..stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false)];
    }
}

/// <summary>Where browsers find the rest of the monitoring. Null: no link.</summary>
internal sealed class WebSettings(Section s)
{
    public Uri? GrafanaUrl { get; } = s.Maybe("grafana_url", Values.Url, "none", "Grafana.");

    public Uri? PrometheusUrl { get; } = s.Maybe("prometheus_url", Values.Url, "none", "Prometheus.");

    public Uri? AlertmanagerUrl { get; } = s.Maybe("alertmanager_url", Values.Url, "none", "Alertmanager.");

    /// <summary>Those that are given, with their names.</summary>
    public ImmutableArray<KeyValuePair<string, Uri>> Links =>
    [
        .. new[] { ("Grafana", GrafanaUrl), ("Prometheus", PrometheusUrl), ("Alertmanager", AlertmanagerUrl) }
            .Where(link => link.Item2 is not null).Select(link => KeyValuePair.Create(link.Item1, link.Item2!)),
    ];
}

internal sealed class StateSettings(Section s)
{
    /// <summary>By the age of its run; an event older than this is never new.</summary>
    public TimeSpan KeyRetention { get; } = s.Optional("key_retention", Values.Duration("1d", "10y"), "35d",
        "How long it is remembered that an event was counted. Older events are never counted.");

    public TimeSpan ZeroHold { get; } = s.Optional("zero_hold", Values.Duration("0", "1h"), "60s",
        "A new counter stands at 0 until it has been scraped twice, and for so long at least, so that Prometheus sees it move.");
}
