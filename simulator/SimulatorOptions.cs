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

    /// <summary>DAGs of generated load beside the pipeline: 1,000 make some 100,000 task instances a day.</summary>
    public int Scale { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;
}
