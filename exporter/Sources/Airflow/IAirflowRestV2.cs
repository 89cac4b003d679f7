using System.Text.Json;
using Refit;

namespace PipelineExporter.Sources.Airflow;

/// <summary>REST v2, Airflow 3.x. An unknown query parameter is ignored; "~" stands for any DAG or run, together only.</summary>
internal interface IAirflowRestV2
{
    [Get("/api/v2/version")]
    Task<IApiResponse<AirflowVersion>> GetVersion(CancellationToken ct);

    [Get("/api/v2/monitor/health")]
    Task<IApiResponse<Dictionary<string, JsonElement>>> GetHealth(CancellationToken ct);

    [Get("/api/v2/pools")]
    Task<IApiResponse<PoolPage>> GetPools(int limit, int offset, [AliasAs("order_by")] string orderBy, CancellationToken ct);

    [Get("/api/v2/importErrors")]
    Task<IApiResponse<ImportErrorPage>> GetImportErrors(int limit, CancellationToken ct);

    [Get("/api/v2/dags")]
    Task<IApiResponse<DagPage>> GetDags(int limit, int offset, [AliasAs("order_by")] string orderBy, CancellationToken ct);

    /// <param name="cursor">Empty for the first page of cursor paging (3.3 and later); null for offset paging.</param>
    [Get("/api/v2/dags/{dagId}/dagRuns")]
    Task<IApiResponse<DagRunPage>> GetDagRuns(
        string dagId,
        [Query(CollectionFormat.Multi)] string[]? state,
        [AliasAs("updated_at_gte")] string? updatedAtGte,
        [AliasAs("end_date_gte")] string? endDateGte,
        [AliasAs("order_by")] string orderBy,
        int limit,
        int? offset,
        string? cursor,
        CancellationToken ct);

    [Get("/api/v2/dags/~/dagRuns/~/taskInstances")]
    Task<IApiResponse<TaskInstancePage>> GetTaskInstances(
        [Query(CollectionFormat.Multi)] string[] state,
        [AliasAs("updated_at_gte")] string? updatedAtGte,
        [AliasAs("order_by")] string orderBy,
        int limit,
        int? offset,
        string? cursor,
        CancellationToken ct);

    [Get("/api/v2/dags/{dagId}/dagRuns/{runId}/taskInstances/{taskId}/tries")]
    Task<IApiResponse<TaskInstancePage>> GetTries(string dagId, string runId, string taskId, CancellationToken ct);

    [Get("/api/v2/dags/{dagId}/dagRuns/{runId}/taskInstances/{taskId}/{mapIndex}/tries")]
    Task<IApiResponse<TaskInstancePage>> GetMappedTries(string dagId, string runId, string taskId, int mapIndex, CancellationToken ct);
}
