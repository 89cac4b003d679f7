using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Aws;

/// <summary>CloudWatch's ListMetrics and GetMetricData, in JSON, CBOR and query.</summary>
internal sealed partial class CloudWatchService(AwsAccounts accounts, FaultInjector faults)
{
    /// <summary>The source of faults.</summary>
    public const string Source = "cloudwatch";

    const string ValidationError = "ValidationError";
    const int MaxQueries = 500;
    const int MaxDatapoints = 100_800;
    const int MetricsPage = 500;

    /// <summary>Of a page under the fault partial_data.</summary>
    const int FewDatapoints = 20;

    public AwsService Describe() => new AwsService
    {
        Name = Source,
        SigningName = "monitoring",
        TargetPrefix = "GraniteServiceVersion20100801",
        JsonVersion = "1.0",
        QueryVersion = "2010-08-01",
        XmlNamespace = "http://monitoring.amazonaws.com/doc/2010-08-01/",
        ThrottlingCode = "Throttling",
        FailureCode = "InternalServiceError",
    }
    .Json("ListMetrics", CloudWatchJsonInput.Default.ListMetricsInput, CloudWatchJson.Write, ListMetrics)
    .Json("GetMetricData", CloudWatchJsonInput.Default.GetMetricDataInput, CloudWatchJson.Write, GetMetricData)
    .Cbor("ListMetrics", CloudWatchCbor.ReadListMetrics, CloudWatchCbor.Write, ListMetrics)
    .Cbor("GetMetricData", CloudWatchCbor.ReadGetMetricData, CloudWatchCbor.Write, GetMetricData)
    .Query("ListMetrics", (parameters, call) => CloudWatchQuery.Write(ListMetrics(CloudWatchQuery.ReadListMetrics(parameters), call)))
    .Query(
        "GetMetricData",
        (parameters, call) => CloudWatchQuery.Write(GetMetricData(CloudWatchQuery.ReadGetMetricData(parameters), call)));

    ListMetricsOutput ListMetrics(ListMetricsInput input, AwsCall call)
    {
        if (input.RecentlyActive is not (null or "PT3H"))
            throw new AwsException("InvalidParameterValue", "The value of the parameter RecentlyActive is not valid: it can be PT3H.");
        if (input.Dimensions?.Any(filter => filter.Name is null) == true)
            throw new AwsException(ValidationError, "The parameter Dimensions.member.1.Name is required.");
        if ((input.NextToken is { } token ? MetricPlace.Parse(token) : new MetricPlace(0)) is not { } start)
            throw new AwsException("InvalidParameterValue", "The value of the parameter NextToken is not valid.");
        if (accounts.In(call) is not { } account || (input.OwningAccount ?? account.Id) != account.Id)
            return new ListMetricsOutput([], null);

        List<MetricSeries> page = [];
        foreach (var (series, place) in new MetricListing(account.Metrics, input, call.Now).From(start))
        {
            if (page.Count == MetricsPage)
                return new ListMetricsOutput(page, place.Token);
            page.Add(series);
        }
        return new ListMetricsOutput(page, null);
    }

    GetMetricDataOutput GetMetricData(GetMetricDataInput input, AwsCall call)
    {
        Validate(input);
        var wrong = faults.OfData(Source);
        var limit = input.MaxDatapoints ?? MaxDatapoints;
        if (wrong.Any(fault => fault.Kind == FaultKind.PartialData))
            limit = FewDatapoints;
        var request = "";
        var (asOf, delivered) = (call.Now, 0);
        if (input.NextToken is { } token)
        {
            request = Hash(input);
            (asOf, delivered) = ReadPlace(token, request, call.Now);
        }

        // Datapoints are delivered query by query; what pages before held is counted, not remembered.
        var account = accounts.In(call);
        var reader = new DatapointReader(account?.Metrics, input, asOf, wrong);
        var labels = new MetricLabels(input.MetricDataQueries!);
        List<MetricDataResult> results = new(input.MetricDataQueries!.Count);
        var (seen, end) = (0, delivered + limit);
        foreach (var query in input.MetricDataQueries)
        {
            if (query.ReturnData == false)
                continue;
            var (points, failed) = query.AccountId is { } asked && asked != account?.Id ? ([], false) : reader.Read(query.MetricStat!);
            var first = Math.Clamp(delivered - seen, 0, points.Length);
            var last = Math.Clamp(end - seen, first, points.Length);
            var endedBefore = delivered > 0 && (points.Length == 0 || seen + points.Length <= delivered);
            seen += points.Length;
            if (endedBefore)
                continue;
            results.Add(new MetricDataResult(
                query.Id!,
                query.Label ?? labels.Of(query.MetricStat!.Metric!),
                new ArraySegment<Datapoint>(points, first, last - first),
                failed ? "InternalError" : last == points.Length ? "Complete" : "PartialData"));
        }

        var next = seen <= end ? null : PageToken.Write(
            "data", request.Length > 0 ? request : Hash(input), asOf.UtcTicks.ToString(CultureInfo.InvariantCulture),
            end.ToString(CultureInfo.InvariantCulture));
        return new GetMetricDataOutput(results, next, [.. wrong.Where(fault => fault.Kind == FaultKind.Message)
            .Select(fault => new MessageData("MaxMetricsExceeded", fault.Match ?? "Maximum number of allowed metrics exceeded"))]);
    }

    static void Validate(GetMetricDataInput input)
    {
        List<string> errors = [];
        if (input.MetricDataQueries is not { Count: > 0 } queries)
            throw new AwsException(ValidationError, "The parameter MetricDataQueries is required.");
        if (queries.Count > MaxQueries)
            throw new AwsException(ValidationError, $"The collection MetricDataQueries must not have a size greater than {MaxQueries}.");
        for (var i = 0; i < queries.Count; i++)
            Validate(queries[i], $"MetricDataQueries.member.{i + 1}", errors);
        if (queries.Select(query => query.Id).ToHashSet().Count != queries.Count)
            errors.Add("The values for parameter Id in MetricDataQueries are not unique.");
        if (input.StartTime is null)
            errors.Add("The parameter StartTime is required.");
        if (input.EndTime is null)
            errors.Add("The parameter EndTime is required.");
        if (input.StartTime == input.EndTime && input.StartTime is not null)
            errors.Add("The parameter StartTime must not equal parameter EndTime.");
        if (input.StartTime > input.EndTime)
            errors.Add("The parameter StartTime must be less than the parameter EndTime.");
        if (input.ScanBy is not (null or "TimestampAscending" or "TimestampDescending"))
            errors.Add($"The value {input.ScanBy} for parameter ScanBy is not valid.");
        if (input.MaxDatapoints is < 1 or > MaxDatapoints)
            errors.Add($"The value {input.MaxDatapoints} for parameter MaxDatapoints is not between 1 and {MaxDatapoints}.");
        if (errors.Count > 0)
            throw new AwsException(ValidationError, string.Join('\n', errors));
    }

    static void Validate(MetricDataQuery query, string path, List<string> errors)
    {
        if (query.Id is null)
            errors.Add($"The parameter {path}.Id is required.");
        else if (!QueryId().IsMatch(query.Id))
            errors.Add($"The value {query.Id} for parameter {path}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.");
        if (query.Expression is not null)
            errors.Add($"The simulator evaluates no metric math: {path}.Expression cannot be used.");
        else if (query.MetricStat is null)
            errors.Add($"The parameter {path}.MetricStat is required.");
        if (query.MetricStat is not { } stat)
            return;
        if (stat.Metric is not { } metric)
            errors.Add($"The parameter {path}.MetricStat.Metric is required.");
        else
            Validate(metric, path, errors);
        if (stat.Period is null)
            errors.Add($"The parameter {path}.MetricStat.Period is required.");
        else if (stat.Period is not (1 or 5 or 10 or 20 or 30) && (stat.Period < 60 || stat.Period % 60 != 0))
            errors.Add($"The value {stat.Period} for parameter {path}.MetricStat.Period is not 1, 5, 10, 20, 30 or a multiple of 60.");
        if (stat.Stat is null)
            errors.Add($"The parameter {path}.MetricStat.Stat is required.");
        else if (Statistic.Parse(stat.Stat) is null)
            errors.Add($"The value {stat.Stat} for parameter {path}.MetricStat.Stat is not a valid statistic.");
    }

    static void Validate(MetricShape metric, string path, List<string> errors)
    {
        if (string.IsNullOrEmpty(metric.Namespace))
            errors.Add($"The parameter {path}.MetricStat.Metric.Namespace is required.");
        if (string.IsNullOrEmpty(metric.MetricName))
            errors.Add($"The parameter {path}.MetricStat.Metric.MetricName is required.");
        var dimensions = metric.Dimensions ?? [];
        if (dimensions.Count > 30)
            errors.Add($"The collection {path}.MetricStat.Metric.Dimensions must not have a size greater than 30.");
        for (var i = 0; i < dimensions.Count; i++)
        {
            if (string.IsNullOrEmpty(dimensions[i].Name))
                errors.Add($"The parameter {path}.MetricStat.Metric.Dimensions.member.{i + 1}.Name is required.");
            if (string.IsNullOrEmpty(dimensions[i].Value))
                errors.Add($"The parameter {path}.MetricStat.Metric.Dimensions.member.{i + 1}.Value is required.");
        }
    }

    static (DateTimeOffset AsOf, int Delivered) ReadPlace(string token, string request, DateTimeOffset now) =>
        PageToken.Read(token, "data") is [var hash, var ticks, var text] && hash == request
            && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var asOf) && asOf <= now.UtcTicks
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var delivered) && delivered <= MaxQueries * MaxDatapoints
            ? (new DateTimeOffset(asOf, TimeSpan.Zero), delivered)
            : throw new AwsException("InvalidNextToken", "The specified NextToken is not valid.");

    /// <summary>A token belongs to the request that it was given for: all but the token itself.</summary>
    static string Hash(GetMetricDataInput input) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
        JsonSerializer.Serialize(input with { NextToken = null }, CloudWatchJsonInput.Default.GetMetricDataInput))))[..16];

    [GeneratedRegex("^[a-z][a-zA-Z0-9_]{0,254}$")]
    private static partial Regex QueryId();
}
