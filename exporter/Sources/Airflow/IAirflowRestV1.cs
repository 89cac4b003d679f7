using System.Text.Json;
using Refit;

namespace PipelineExporter.Sources.Airflow;

/// <summary>REST v1, Airflow 2.x. An unknown query parameter is answered 400; "~" stands for any DAG or run.</summary>
internal interface IAirflowRestV1
{
    [Get("/api/v1/version")]
    Task<IApiResponse<AirflowVersion>> GetVersion(CancellationToken ct);

    [Get("/api/v1/health")]
    Task<IApiResponse<Dictionary<string, JsonElement>>> GetHealth(CancellationToken ct);

    [Get("/api/v1/pools")]
    Task<IApiResponse<PoolPage>> GetPools(int limit, int offset, [AliasAs("order_by")] string orderBy, CancellationToken ct);

    [Get("/api/v1/importErrors")]
    Task<IApiResponse<ImportErrorPage>> GetImportErrors(int limit, CancellationToken ct);

    [Get("/api/v1/dags")]
    Task<IApiResponse<DagPage>> GetDags(
        int limit, int offset, [AliasAs("order_by")] string orderBy, [Query(CollectionFormat.Multi)] string[]? fields, CancellationToken ct);

    [Get("/api/v1/dags/{dagId}/dagRuns")]
    Task<IApiResponse<DagRunPage>> GetDagRuns(
        string dagId,
        [Query(CollectionFormat.Multi)] string[]? state,
        [AliasAs("end_date_gte")] string? endDateGte,
        [AliasAs("order_by")] string orderBy,
        int limit,
        int offset,
        [Query(CollectionFormat.Multi)] string[]? fields,
        CancellationToken ct);

    [Get("/api/v1/dags/~/dagRuns/~/taskInstances")]
    Task<IApiResponse<TaskInstancePage>> GetTaskInstances(
        [Query(CollectionFormat.Multi)] string[] state,
        [AliasAs("updated_at_gte")] string? updatedAtGte,
        [AliasAs("updated_at_lte")] string? updatedAtLte,
        int limit,
        int offset,
        CancellationToken ct);

    [Get("/api/v1/dags/{dagId}/dagRuns/{runId}/taskInstances/{taskId}/tries")]
    Task<IApiResponse<TaskInstancePage>> GetTries(string dagId, string runId, string taskId, CancellationToken ct);

    [Get("/api/v1/dags/{dagId}/dagRuns/{runId}/taskInstances/{taskId}/{mapIndex}/tries")]
    Task<IApiResponse<TaskInstancePage>> GetMappedTries(string dagId, string runId, string taskId, int mapIndex, CancellationToken ct);
}
