using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace PipelineExporter.Simulator.Aws;

/// <summary>CloudWatch's ListMetrics and GetMetricData, in JSON and query.</summary>
internal sealed partial class CloudWatchService(MetricCatalog catalog)
{
    const string ValidationError = "ValidationError";
    const int MaxQueries = 500;
    const int MaxDatapoints = 100_800;
    const int MetricsPage = 500;

    /// <summary>A metric is listed from 15 minutes after its first datapoint to two weeks after its last.</summary>
    static readonly TimeSpan ListingDelay = TimeSpan.FromMinutes(15);
    static readonly TimeSpan ListingRetention = TimeSpan.FromDays(14);
    static readonly TimeSpan RecentlyActive = TimeSpan.FromHours(3);

    /// <summary>How old a datapoint may be, by the seconds of which its period has to be a multiple.</summary>
    static readonly (TimeSpan Age, int Granularity)[] Retention =
        [(TimeSpan.FromDays(15), 60), (TimeSpan.FromDays(63), 300), (TimeSpan.FromDays(455), 3600)];

    public AwsService Describe() => new AwsService
    {
        Name = "cloudwatch",
        SigningName = "monitoring",
        TargetPrefix = "GraniteServiceVersion20100801",
        JsonVersion = "1.0",
        QueryVersion = "2010-08-01",
        XmlNamespace = "http://monitoring.amazonaws.com/doc/2010-08-01/",
        ThrottlingCode = "Throttling",
        FailureCode = "InternalServiceError",
    }
    .Json("ListMetrics", CloudWatchJson.Default.ListMetricsInput, CloudWatchJson.Default.ListMetricsOutput, ListMetrics)
    .Json("GetMetricData", CloudWatchJson.Default.GetMetricDataInput, CloudWatchJson.Default.GetMetricDataOutput, GetMetricData)
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
        var offset = 0;
        if (input.NextToken is { } token
            && !(PageToken.Read(token, "metrics") is [var text] && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out offset)))
            throw new AwsException("InvalidParameterValue", "The value of the parameter NextToken is not valid.");

        var from = call.Now - (input.RecentlyActive is null ? ListingRetention : RecentlyActive);
        var listed = catalog.In(call.Region)
            .Where(series => (input.Namespace ?? series.Namespace) == series.Namespace
                && (input.MetricName ?? series.Name) == series.Name
                && (input.Dimensions ?? []).All(filter => series.Dimensions.Any(
                    dimension => dimension.Name == filter.Name && dimension.Value == (filter.Value ?? dimension.Value)))
                && input.OwningAccount is null or AwsCredentials.AccountId
                && Days.Backwards(from, call.Now - ListingDelay).Any(day => series.Samples(day.From, day.To).Any()))
            .Skip(offset)
            .Take(MetricsPage + 1)
            .Select(series => new MetricShape(series.Namespace, series.Name, series.Dimensions))
            .ToList();
        return listed.Count <= MetricsPage
            ? new ListMetricsOutput(listed, null)
            : new ListMetricsOutput(
                listed[..MetricsPage], PageToken.Write("metrics", (offset + MetricsPage).ToString(CultureInfo.InvariantCulture)));
    }

    GetMetricDataOutput GetMetricData(GetMetricDataInput input, AwsCall call)
    {
        Validate(input);
        var request = Hash(input);
        var (asOf, delivered) = input.NextToken is { } token ? ReadPlace(token, request, call.Now) : (call.Now, 0);
        var limit = input.MaxDatapoints ?? MaxDatapoints;
        var queries = input.MetricDataQueries!.Where(query => query.ReturnData != false).ToList();

        // Datapoints are delivered query by query; what pages before held is counted, not remembered.
        List<MetricDataResult> results = [];
        var (seen, end) = (0, delivered + limit);
        foreach (var query in queries)
        {
            var points = Datapoints(query, input, call.Region, asOf);
            var first = Math.Clamp(delivered - seen, 0, points.Count);
            var last = Math.Clamp(end - seen, first, points.Count);
            var endedBefore = delivered > 0 && (points.Count == 0 || seen + points.Count <= delivered);
            seen += points.Count;
            if (endedBefore)
                continue;
            var page = points[first..last];
            results.Add(new MetricDataResult(
                query.Id!,
                query.Label ?? Label(query, queries),
                [.. page.Select(point => point.At)],
                [.. page.Select(point => point.Value)],
                last == points.Count ? "Complete" : "PartialData"));
        }

        var next = seen <= end ? null : PageToken.Write(
            "data", request, asOf.UtcTicks.ToString(CultureInfo.InvariantCulture), end.ToString(CultureInfo.InvariantCulture));
        return new GetMetricDataOutput(results, next, []);
    }

    /// <summary>One value a period that holds a sample, stamped at the period's start, in the order that ScanBy asks for.</summary>
    List<MetricSample> Datapoints(MetricDataQuery query, GetMetricDataInput input, string region, DateTimeOffset now)
    {
        var stat = query.MetricStat!;
        var series = catalog.In(region).FirstOrDefault(series =>
            series.Is(stat.Metric!.Namespace!, stat.Metric.MetricName!, [.. stat.Metric.Dimensions ?? []]));
        if (series is null || (stat.Unit ?? series.Unit) != series.Unit || query.AccountId is not (null or AwsCredentials.AccountId))
            return [];

        var period = TimeSpan.FromSeconds(stat.Period!.Value);
        var start = RoundDown(input.StartTime!.Value, now);
        if (OldestReadable(stat.Period.Value, now) is not { } oldest)
            return [];

        List<MetricSample> points = [];
        var visible = now - MetricCatalog.PublishDelay;
        var samples = series.Samples(start < oldest ? oldest : start, visible);
        foreach (var bucket in samples.GroupBy(sample => start + (period * Math.Floor((sample.At - start) / period))))
        {
            if (bucket.Key >= input.EndTime!.Value)
                break;
            points.Add(new MetricSample(bucket.Key, Statistic.Of(stat.Stat!, [.. bucket.Select(sample => sample.Value)])));
        }

        if (input.ScanBy != "TimestampAscending")
            points.Reverse();
        return points;
    }

    /// <summary>Fine periods are kept for less long; a period that nothing is kept for answers empty.</summary>
    static DateTimeOffset? OldestReadable(int period, DateTimeOffset now)
    {
        DateTimeOffset? oldest = null;
        foreach (var (age, granularity) in Retention)
        {
            if (period % granularity == 0)
                oldest = now - age;
        }
        return oldest;
    }

    static DateTimeOffset RoundDown(DateTimeOffset start, DateTimeOffset now)
    {
        var granularity = Retention.FirstOrDefault(kept => start > now - kept.Age, Retention[^1]).Granularity;
        var seconds = start.ToUnixTimeSeconds();
        return DateTimeOffset.FromUnixTimeSeconds(seconds - (seconds % granularity));
    }

    /// <summary>The metric's name, behind what tells it from the others of the request.</summary>
    static string Label(MetricDataQuery query, List<MetricDataQuery> queries)
    {
        var metric = query.MetricStat!.Metric!;
        return queries.Count(other => other.MetricStat!.Metric!.MetricName == metric.MetricName) == 1
            ? metric.MetricName!
            : string.Join(' ', [.. (metric.Dimensions ?? []).Select(dimension => dimension.Value), metric.MetricName!]);
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
        if (queries.DistinctBy(query => query.Id).Count() != queries.Count)
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
        else if (!Statistic.IsKnown(stat.Stat))
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
        JsonSerializer.Serialize(input with { NextToken = null }, CloudWatchJson.Default.GetMetricDataInput))))[..16];

    [GeneratedRegex("^[a-z][a-zA-Z0-9_]{0,254}$")]
    private static partial Regex QueryId();
}
