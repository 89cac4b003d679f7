namespace PipelineExporter.Simulator.Airflow;

/// <summary>Fixed and public: nothing behind them is worth a secret.</summary>
internal static class Credentials
{
    public const string User = "exporter";
    public const string Password = "simulator-password";
}
