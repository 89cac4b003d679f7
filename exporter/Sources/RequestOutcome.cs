namespace PipelineExporter.Sources;

/// <summary>How one HTTP request ended.</summary>
internal static class RequestOutcome
{
    public const string Ok = "ok";
    public const string Throttled = "throttled";
    public const string Error = "error";
    public const string Timeout = "timeout";
}
