namespace PipelineExporter.Logging;

internal enum LogFormat
{
    Logfmt,
    Json,
}
