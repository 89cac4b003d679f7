using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>What of the Airflows can be changed while they run.</summary>
/// <param name="Edition">2 or 3: which of the two /airflow is.</param>
/// <param name="TokenLifetime">Of the tokens that Airflow 3 issues from now on.</param>
internal sealed record AirflowSettings(int Edition, Version Airflow2Version, Version Airflow3Version, TimeSpan TokenLifetime)
{
    /// <summary>What is wrong with it; null when both servers can be that.</summary>
    public string? Problem => this switch
    {
        { Edition: not (2 or 3) } => "edition is 2 or 3",
        { Airflow2Version: not { Major: 2, Minor: >= 6 and <= 11 } } => "airflow2_version is 2.6.0 to 2.11.x",
        { Airflow3Version: not { Major: 3, Minor: >= 0 and <= 3 } } => "airflow3_version is 3.0.0 to 3.3.x",
        { TokenLifetime: var life } when life < TimeSpan.FromSeconds(1) || life > TimeSpan.FromDays(365) => "token_lifetime is in seconds, 1 to a year",
        _ => null,
    };
}

/// <summary>The state of the Airflows beside the pipeline that they run: their settings, and their clock.</summary>
internal sealed class AirflowServers(AirflowSettings initial, FaultInjector faults, TimeProvider time)
{
    volatile AirflowSettings settings = initial;

    public AirflowSettings Settings => settings;

    /// <summary>Airflow's own clock, by which it also runs its schedules.</summary>
    public DateTimeOffset Now => time.GetUtcNow() + faults.ClockSkew(AirflowData.Source);

    public void Change(AirflowSettings changed) => settings = changed;
}
