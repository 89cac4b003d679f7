using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <summary>How often an operation will be called a day.</summary>
internal sealed record PlannedRequests(AwsService Service, string Operation, double ADay)
{
    /// <summary>What AWS takes for them.</summary>
    public double UsdADay => ADay * AwsPrices.Request(Service.Id, Operation);

    /// <param name="requests">Each time.</param>
    /// <param name="interval">From one time to the next.</param>
    public static PlannedRequests Every(AwsService service, string operation, double requests, TimeSpan interval) =>
        new(service, operation, requests * (TimeSpan.FromDays(1) / interval));

    /// <summary>How many pages it takes, one at least.</summary>
    public static int Pages(int items, int pageSize) => Math.Max(1, (items + pageSize - 1) / pageSize);
}

/// <summary>What one collector plans.</summary>
/// <param name="Problem">Why it could not be told; null when it was.</param>
internal sealed record CollectorPlan(IReadOnlyList<PlannedRequests> Requests, string? Problem)
{
    public static async Task<CollectorPlan> OfAsync(IPlannedCollector collector, CancellationToken cancellationToken)
    {
        try
        {
            return new(await collector.PlanAsync(cancellationToken), null);
        }
        catch (AwsException e)
        {
            return new([], e.Message);
        }
    }
}

/// <summary>A collector that can say beforehand what it will ask AWS for.</summary>
internal interface IPlannedCollector : ICollector
{
    /// <summary>What a day takes, by what there is to watch now.</summary>
    /// <exception cref="AwsException">It could not be found out what there is.</exception>
    Task<IReadOnlyList<PlannedRequests>> PlanAsync(CancellationToken cancellationToken);
}
