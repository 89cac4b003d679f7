using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Aws;

/// <summary>AWS's own clock, which the fault clock_skew sets wrong.</summary>
internal sealed class AwsTime(TimeProvider time, FaultInjector faults) : TimeProvider
{
    static readonly string[] Services = ["glue", "cloudwatch", "dynamodb", "s3", "sts"];

    public override DateTimeOffset GetUtcNow() => time.GetUtcNow() + Services.Select(faults.ClockSkew).FirstOrDefault(skew => skew != TimeSpan.Zero);
}
