using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Microsoft.AspNetCore.Http;
using PipelineExporter.Simulator.Aws;

namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>
/// Every answer has the shape that AWS's service models declare: no member that they do not know, every required one, each of the
/// declared type, within the declared values. Fixtures/aws/service-models.json holds the output shapes of these operations.
/// </summary>
public sealed class ServiceModelTests
{
    static readonly JsonNode Models = JsonNode.Parse(
        File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", "aws", "service-models.json")))!;

    static readonly AwsService Glue = new GlueService(ServiceCall.Accounts).Describe();
    static readonly AwsService CloudWatch = ServiceCall.CloudWatch();
    static readonly AwsService DynamoDb = new DynamoDbService(ServiceCall.Accounts).Describe();
    static readonly AwsService S3 = new S3Service(ServiceCall.Accounts).Describe();
    static readonly AwsService Sts = new StsService(new AwsCredentials()).Describe();

    const string Data =
        """
        {"MetricDataQueries": [{"Id": "a", "MetricStat": {"Metric": {"Namespace": "Glue", "MetricName": "glue.driver.aggregate.elapsedTime",
        "Dimensions": [{"Name": "JobName", "Value": "music_streaming_validation"}, {"Name": "JobRunId", "Value": "ALL"}, {"Name": "Type", "Value": "count"}]},
        "Period": 300, "Stat": "Average"}}], "StartTime": 1795420800, "EndTime": 1795428000, "MaxDatapoints": 5}
        """;

    [Theory]
    [InlineData("GetJobs", """{"MaxResults": 2}""", "Jobs,NextToken")]
    [InlineData("ListJobs", """{"MaxResults": 2}""", "JobNames,NextToken")]
    [InlineData("GetJobRuns", """{"JobName": "music_streaming_validation"}""", "JobRuns,NextToken")]
    [InlineData("GetJobRuns", """{"JobName": "music_streaming_dynamodb_load", "MaxResults": 100}""", "JobRuns,NextToken")]
    public void Glue_answers_in_its_shapes(string operation, string input, string members)
    {
        var answer = ServiceCall.Json(Glue, operation, input);

        Assert.Equal(members, string.Join(',', answer.AsObject().Select(member => member.Key)));
        CheckJson("glue", operation, answer);
    }

    [Theory]
    [InlineData("ListMetrics", "{}", "Metrics,NextToken")]
    [InlineData("ListMetrics", """{"Namespace": "AWS/S3"}""", "Metrics")]
    [InlineData("GetMetricData", Data, "MetricDataResults,NextToken,Messages")]
    public void CloudWatch_answers_in_its_shapes(string operation, string input, string members)
    {
        var answer = ServiceCall.Json(CloudWatch, operation, input);

        Assert.Equal(members, string.Join(',', answer.AsObject().Select(member => member.Key)));
        CheckJson("cloudwatch", operation, answer);
    }

    [Fact]
    public void CloudWatch_answers_in_its_shapes_over_query_too()
    {
        CheckXml("cloudwatch", "ListMetrics", ServiceCall.Query(CloudWatch, "ListMetrics"));
        (string, string)[] metric =
        [
            ("Namespace", "Glue"), ("MetricName", "glue.driver.aggregate.elapsedTime"),
            ("Dimensions.member.1.Name", "JobName"), ("Dimensions.member.1.Value", "music_streaming_validation"),
            ("Dimensions.member.2.Name", "JobRunId"), ("Dimensions.member.2.Value", "ALL"),
            ("Dimensions.member.3.Name", "Type"), ("Dimensions.member.3.Value", "count"),
        ];
        var data = ServiceCall.Query(CloudWatch, "GetMetricData",
        [
            .. metric.Select(part => ("MetricDataQueries.member.1.MetricStat.Metric." + part.Item1, part.Item2)),
            ("MetricDataQueries.member.1.Id", "a"), ("MetricDataQueries.member.1.MetricStat.Period", "300"),
            ("MetricDataQueries.member.1.MetricStat.Stat", "Sum"), ("MaxDatapoints", "5"),
            ("StartTime", "2026-11-23T08:00:00Z"), ("EndTime", "2026-11-23T10:00:00Z"),
        ]);

        Assert.Equal(5, data.Descendants("Values").Elements().Count());
        CheckXml("cloudwatch", "GetMetricData", data);
    }

    [Fact]
    public void Sts_answers_in_its_shapes()
    {
        CheckXml("sts", "GetCallerIdentity", ServiceCall.Query(Sts, "GetCallerIdentity"));
        CheckXml("sts", "AssumeRole", ServiceCall.Query(
            Sts, "AssumeRole", ("RoleArn", "arn:aws:iam::123456789012:role/reader"), ("RoleSessionName", "exporter")));
        CheckXml("sts", "AssumeRoleWithWebIdentity", ServiceCall.Query(
            Sts, "AssumeRoleWithWebIdentity", ("RoleArn", "arn:aws:iam::123456789012:role/reader"), ("RoleSessionName", "exporter"), ("WebIdentityToken", StsService.WebIdentityToken)));
        CheckXml("sts", "GetSessionToken", ServiceCall.Query(Sts, "GetSessionToken"));
    }

    [Theory]
    [InlineData("ListTables", """{"Limit": 2}""", "TableNames,LastEvaluatedTableName")]
    [InlineData("ListTables", "{}", "TableNames")]
    [InlineData("DescribeTable", """{"TableName": "music_streaming_sessions"}""", "Table")]
    [InlineData("DescribeTable", """{"TableName": "music_streaming_kpi"}""", "Table")]
    [InlineData("DescribeTable", """{"TableName": "music_streaming_catalog"}""", "Table")]
    public void DynamoDb_answers_in_its_shapes(string operation, string input, string members)
    {
        var answer = ServiceCall.Json(DynamoDb, operation, input);

        Assert.Equal(members, string.Join(',', answer.AsObject().Select(member => member.Key)));
        CheckJson("dynamodb", operation, answer);
    }

    [Theory]
    [InlineData("ListBuckets", "/", "")]
    [InlineData("ListBuckets", "/", "?max-buckets=2&prefix=music")]
    [InlineData("GetBucketLifecycleConfiguration", "/music-streaming-raw", "?lifecycle")]
    [InlineData("GetBucketLifecycleConfiguration", "/music-streaming-logs", "?lifecycle")]
    [InlineData("ListBucketMetricsConfigurations", "/music-streaming-raw", "?metrics")]
    public void S3_answers_in_its_shapes(string operation, string path, string query)
    {
        var context = new DefaultHttpContext();
        (context.Request.Method, context.Request.Host, context.Request.Path, context.Request.QueryString) = ("GET", new("127.0.0.1"), path, new(query));
        var request = S3Request.Of(context);

        Assert.Equal(operation, request.Operation);
        CheckXml(Models["s3"]!["shapes"]!, (string)Models["s3"]!["operations"]![operation]!["output"]!, S3.FindRest(operation)!(request, ServiceCall.As())!, operation);
    }

    [Fact]
    public void The_services_go_by_the_names_of_their_models()
    {
        Assert.Equal((string)Models["glue"]!["targetPrefix"]!, Glue.TargetPrefix);
        Assert.Equal((string)Models["glue"]!["jsonVersion"]!, Glue.JsonVersion);
        Assert.Equal((string)Models["cloudwatch"]!["targetPrefix"]!, CloudWatch.TargetPrefix);
        Assert.Equal((string)Models["cloudwatch"]!["jsonVersion"]!, CloudWatch.JsonVersion);
        Assert.Equal((string)Models["cloudwatch"]!["apiVersion"]!, CloudWatch.QueryVersion);
        Assert.Equal((string)Models["cloudwatch"]!["xmlNamespace"]!, CloudWatch.XmlNamespace.NamespaceName);
        Assert.Equal((string)Models["dynamodb"]!["targetPrefix"]!, DynamoDb.TargetPrefix);
        Assert.Equal((string)Models["dynamodb"]!["jsonVersion"]!, DynamoDb.JsonVersion);
        Assert.Equal((string)Models["sts"]!["apiVersion"]!, Sts.QueryVersion);
        Assert.Equal((string)Models["sts"]!["xmlNamespace"]!, Sts.XmlNamespace.NamespaceName);
    }

    [Theory]
    [InlineData("""{"Jobs": [{"Nam": "x"}]}""")]
    [InlineData("""{"Jobs": [{"Name": 5}]}""")]
    [InlineData("""{"Jobs": [{"ExecutionClass": "FAST"}]}""")]
    [InlineData("""{"Jobs": [{"MaxRetries": 0.5}]}""")]
    [InlineData("""{"Jobs": [{"CreatedOn": "2026-11-23"}]}""")]
    [InlineData("""{"Jobs": {}}""")]
    public void The_check_finds_what_is_wrong(string answer) =>
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => CheckJson("glue", "GetJobs", JsonNode.Parse(answer)!));

    static void CheckJson(string service, string operation, JsonNode answer) =>
        CheckJson(Models[service]!["shapes"]!, (string)Models[service]!["operations"]![operation]!["output"]!, answer, operation);

    static void CheckJson(JsonNode shapes, string name, JsonNode? value, string path)
    {
        var shape = shapes[name]!;
        var kind = value?.GetValueKind() ?? JsonValueKind.Null;
        switch ((string)shape["type"]!)
        {
            case "structure":
                Assert.True(kind == JsonValueKind.Object, $"{path} is {kind}, not a structure");
                foreach (var required in shape["required"]?.AsArray() ?? [])
                    Assert.True(value![(string)required!] is not null, $"{path} has no {required}");
                foreach (var (member, content) in value!.AsObject())
                {
                    Assert.True(shape["members"]![member] is not null, $"{path}.{member} is no member of {name}");
                    CheckJson(shapes, (string)shape["members"]![member]!, content, $"{path}.{member}");
                }
                break;
            case "list":
                Assert.True(kind == JsonValueKind.Array, $"{path} is {kind}, not a list");
                foreach (var element in value!.AsArray())
                    CheckJson(shapes, (string)shape["member"]!, element, path + "[]");
                break;
            case "map":
                Assert.True(kind == JsonValueKind.Object, $"{path} is {kind}, not a map");
                foreach (var (key, content) in value!.AsObject())
                    CheckJson(shapes, (string)shape["value"]!, content, $"{path}[{key}]");
                break;
            case "string":
                Assert.True(kind == JsonValueKind.String, $"{path} is {kind}, not a string");
                CheckText(shape, (string)value!, path);
                break;
            case "boolean":
                Assert.True(kind is JsonValueKind.True or JsonValueKind.False, $"{path} is {kind}, not a boolean");
                break;
            case "integer" or "long":
                Assert.True(kind == JsonValueKind.Number && double.IsInteger((double)value!), $"{path} is {value?.ToJsonString()}, not an integer");
                break;
            case "double" or "timestamp":
                Assert.True(kind == JsonValueKind.Number, $"{path} is {kind}, not a number");
                break;
            case var other:
                Assert.Fail($"{path} has the type {other}, which no check knows");
                break;
        }
    }

    static void CheckXml(string service, string operation, XElement result)
    {
        var model = Models[service]!["operations"]![operation]!;
        Assert.Equal((string)model["resultWrapper"]!, result.Name.LocalName);
        CheckXml(Models[service]!["shapes"]!, (string)model["output"]!, result, operation);
    }

    static void CheckXml(JsonNode shapes, string name, XElement element, string path)
    {
        var shape = shapes[name]!;
        switch ((string)shape["type"]!)
        {
            case "structure":
                foreach (var required in shape["required"]?.AsArray() ?? [])
                    Assert.True(element.Element((string)required!) is not null, $"{path} has no {required}");
                foreach (var member in element.Elements())
                {
                    Assert.True(shape["members"]![member.Name.LocalName] is not null, $"{path}.{member.Name} is no member of {name}");
                    var content = (string)shape["members"]![member.Name.LocalName]!;
                    // The elements of a flattened list stand side by side, without one around them.
                    var isFlattened = (bool?)shapes[content]!["flattened"] == true;
                    CheckXml(shapes, isFlattened ? (string)shapes[content]!["member"]! : content, member, $"{path}.{member.Name}");
                }
                break;
            case "list":
                foreach (var member in element.Elements())
                {
                    Assert.Equal((string?)shape["memberName"] ?? "member", member.Name.LocalName);
                    CheckXml(shapes, (string)shape["member"]!, member, path + "[]");
                }
                break;
            case "string":
                CheckText(shape, element.Value, path);
                break;
            case "integer":
                Assert.True(int.TryParse(element.Value, NumberStyles.None, CultureInfo.InvariantCulture, out _), $"{path} is no integer: {element.Value}");
                break;
            case "boolean":
                Assert.True(element.Value is "true" or "false", $"{path} is no boolean: {element.Value}");
                break;
            case "double":
                Assert.True(double.TryParse(element.Value, CultureInfo.InvariantCulture, out _), $"{path} is no number: {element.Value}");
                break;
            case "timestamp":
                Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$", element.Value);
                break;
            case var other:
                Assert.Fail($"{path} has the type {other}, which no check knows");
                break;
        }
    }

    static void CheckText(JsonNode shape, string value, string path)
    {
        if (shape["enum"] is JsonArray values)
            Assert.True(values.Any(allowed => (string)allowed! == value), $"{path} is {value}, which is not declared");
        Assert.True(value.Length >= ((int?)shape["min"] ?? 0), $"{path} is too short: {value}");
        Assert.True(value.Length <= ((int?)shape["max"] ?? int.MaxValue), $"{path} is too long: {value}");
    }
}
