using System.Collections.Immutable;

namespace PipelineExporter.Simulator.Control;

/// <summary>What can be made to go wrong, by the name under which it is started.</summary>
internal sealed record IncidentKind(string Name, string Description)
{
    /// <summary>A run of music_streaming_validation starts at once and fails, and so does every later one until the end.</summary>
    public const string DagFailure = "dag_failure";

    public static readonly ImmutableArray<IncidentKind> All =
    [
        new(DagFailure, "music_streaming_validation starts a run at once that fails within 20 s, and its Glue job run with it; " +
            "runs that start until the end fail too; at the end a run starts that succeeds"),
    ];
}

/// <summary>One time that an incident was on: [Start, End), open while End is null.</summary>
internal sealed record Incident(string Name, DateTimeOffset Start, DateTimeOffset? End)
{
    public bool Covers(DateTimeOffset at) => Start <= at && (End is null || at < End);
}

/// <summary>
/// Every incident with its start and end. Starting or ending one changes nothing that happened before, so an instant
/// that was asked about answers the same for ever.
/// </summary>
internal sealed class IncidentLog(TimeProvider time)
{
    readonly Lock gate = new();
    ImmutableArray<Incident> incidents = [];

    /// <summary>By start, the ended ones too.</summary>
    public ImmutableArray<Incident> All
    {
        get
        {
            lock (gate)
                return incidents;
        }
    }

    public IEnumerable<Incident> Named(string name) => All.Where(incident => incident.Name == name);

    /// <summary>Starts an incident now; one that is on stays as it is. Null when there is none of this name.</summary>
    public Incident? Start(string name)
    {
        if (!IncidentKind.All.Any(kind => kind.Name == name))
            return null;
        lock (gate)
        {
            if (incidents.FirstOrDefault(incident => incident.Name == name && incident.End is null) is { } on)
                return on;
            var started = new Incident(name, time.GetUtcNow(), End: null);
            incidents = incidents.Add(started);
            return started;
        }
    }

    /// <summary>Ends an incident now; null when it was not on.</summary>
    public Incident? End(string name)
    {
        lock (gate)
        {
            if (incidents.FirstOrDefault(incident => incident.Name == name && incident.End is null) is not { } on)
                return null;
            var ended = on with { End = time.GetUtcNow() };
            incidents = incidents.Replace(on, ended);
            return ended;
        }
    }
}
