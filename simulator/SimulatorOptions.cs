using PipelineExporter.Simulator.Airflow;

namespace PipelineExporter.Simulator;

/// <summary>Where the simulator listens, and what it is a function of.</summary>
public sealed record SimulatorOptions
{
    /// <summary>host:port of HTTP; port 0 takes any free port.</summary>
    public string ListenAddress { get; init; } = "127.0.0.1:9895";

    /// <summary>host:port of the mail inbox's SMTP; null for none; port 0 takes any free port.</summary>
    public string? SmtpListenAddress { get; init; } = "127.0.0.1:9896";

    /// <summary>The same seed gives the same history.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>What /airflow is at the start, Airflow 2 or 3; POST /simulator/airflow upgrades it.</summary>
    public int AirflowEdition { get; init; } = 3;

    /// <summary>2.6.0 to 2.11.2: earlier ones lack what came later.</summary>
    public string Airflow2Version { get; init; } = "2.11.2";

    /// <summary>3.0.0 to 3.3.2.</summary>
    public string Airflow3Version { get; init; } = "3.3.2";

    /// <summary>Of the tokens that Airflow 3 issues.</summary>
    public TimeSpan TokenLifetime { get; init; } = TimeSpan.FromDays(1);

    /// <summary>DAGs of generated load beside the pipeline: 1,000 make some 100,000 task instances a day.</summary>
    public int Scale { get; init; }

    /// <summary>DynamoDB tables of generated load beside the pipeline's, with eight metrics a minute each.</summary>
    public int Tables { get; init; }

    /// <summary>Buckets of generated load beside the pipeline's, with two metrics a day each.</summary>
    public int Buckets { get; init; }

    /// <summary>The longest that credentials last which STS issues; null for as long as they were asked for.</summary>
    public TimeSpan? CredentialLifetime { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <exception cref="FormatException">There is no such Airflow.</exception>
    internal AirflowSettings Airflow
    {
        get
        {
            if (!Version.TryParse(Airflow2Version, out var two) || !Version.TryParse(Airflow3Version, out var three) || two.Build < 0 || three.Build < 0)
                throw new FormatException($"'{Airflow2Version}' and '{Airflow3Version}': a version of Airflow is three numbers, such as 2.9.3");
            var settings = new AirflowSettings(AirflowEdition, two, three, TokenLifetime);
            return settings.Problem is { } problem ? throw new FormatException(problem) : settings;
        }
    }
}
