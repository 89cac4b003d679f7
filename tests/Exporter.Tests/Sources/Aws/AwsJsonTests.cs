using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Sources.Aws;

public sealed class AwsJsonTests
{
    /// <summary>Each body that a client sends or returns.</summary>
    public static TheoryData<Type> Bodies { get; } = [.. new[] { typeof(IGlueApi), typeof(ICloudWatchApi) }
        .SelectMany(api => api.GetMethods())
        .SelectMany(method => method.GetParameters().Select(parameter => parameter.ParameterType).Append(method.ReturnType.GetGenericArguments()[0]))
        .Where(type => type != typeof(CancellationToken)).Distinct()];

    [Fact]
    public void Requests_and_answers_are_found() => Assert.Equal(8, Bodies.Count);

    // Refit reports a type that is missing from the context only when it is first used.
    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task Every_body_is_known_to_the_generated_context(Type body)
    {
        Assert.NotNull(AwsJsonContext.Default.GetTypeInfo(body));
        var roundTrip = typeof(AwsJsonTests).GetMethod(nameof(RoundTripAsync), BindingFlags.NonPublic | BindingFlags.Static)!.MakeGenericMethod(body);
        await (Task)roundTrip.Invoke(null, [Sample(body)])!;
    }

    /// <summary>Each object of an answer.</summary>
    public static TheoryData<Type> Answers { get; } =
    [
        typeof(GetJobsResponse), typeof(GlueJob), typeof(GlueJobCommand), typeof(GetJobRunsResponse), typeof(GlueJobRun), typeof(GetMetricDataResponse),
        typeof(CloudWatchMessage), typeof(MetricDataResult), typeof(ListMetricsResponse), typeof(ListedMetric), typeof(ListedDimension), typeof(AwsErrorBody),
    ];

    // What is made by a constructor with parameters, as init properties are, is read twice but for those.
    [Theory]
    [MemberData(nameof(Answers))]
    public void Answers_are_read_once(Type body) => Assert.NotNull(AwsJsonContext.Default.GetTypeInfo(body)!.CreateObject);

    [Theory]
    [MemberData(nameof(Answers))]
    public void What_an_answer_leaves_out_or_has_as_null_is_never_null_where_the_model_says_so(Type body)
    {
        var nullability = new NullabilityInfoContext();
        var required = body.GetProperties().Where(property => nullability.Create(property).ReadState == NullabilityState.NotNull).ToList();
        // What an answer is all about is refused when it is absent, since that is not the same as empty.
        if (required.Exists(property => property.IsDefined(typeof(JsonRequiredAttribute))))
        {
            Assert.Throws<JsonException>(() => JsonSerializer.Deserialize("{}", AwsJsonContext.Default.GetTypeInfo(body)!));
        }
        else
        {
            var absent = JsonSerializer.Deserialize("{}", AwsJsonContext.Default.GetTypeInfo(body)!)!;
            Assert.All(required, property => Assert.NotNull(property.GetValue(absent)));
        }

        Assert.All(required.Where(property => !property.PropertyType.IsValueType), property =>
        {
            try
            {
                var answer = JsonSerializer.Deserialize($$"""{"{{property.Name}}":null}""", AwsJsonContext.Default.GetTypeInfo(body)!)!;
                Assert.NotNull(property.GetValue(answer));
            }
            catch (JsonException)
            {
                // Refused, which is as good.
            }
        });
    }

    [Fact]
    public void No_model_has_a_place_for_what_may_be_secret()
    {
        var fields = typeof(GlueJobRun).GetProperties().Concat(typeof(GlueJob).GetProperties())
            .Where(property => property.PropertyType != typeof(GlueDefaultArguments)).Select(property => property.Name);
        Assert.DoesNotContain(fields, field => field.Contains("Argument", StringComparison.Ordinal) || field.Contains("Message", StringComparison.Ordinal));
        Assert.All(typeof(GlueDefaultArguments).GetProperties(BindingFlags.Instance | BindingFlags.Public), property => Assert.Equal(typeof(bool), property.PropertyType));
    }

    [Theory]
    [InlineData("1795800000", 1795800000000)]
    [InlineData("1.795800000123E9", 1795800000123)]
    [InlineData("0", 0)]
    public void Times_are_read_to_the_millisecond(string json, long milliseconds) =>
        Assert.Equal(milliseconds, JsonSerializer.Deserialize($$"""{"CreatedOn":{{json}}}""", AwsJsonContext.Default.GlueJob)!.CreatedOn!.Value.ToUnixTimeMilliseconds());

    [Theory]
    [InlineData("\"2026-11-23T06:15:00Z\"")]
    [InlineData("-1")]
    [InlineData("1e20")]
    [InlineData("true")]
    public void A_time_that_is_none_is_refused(string json) =>
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize($$"""{"CreatedOn":{{json}}}""", AwsJsonContext.Default.GlueJob));

    [Fact]
    public void Values_may_be_no_numbers()
    {
        var result = Result("""{"Timestamps":[1,2,3,4],"Values":["NaN","-Infinity","Infinity",0.5]}""");

        Assert.Equal([double.NaN, double.NegativeInfinity, double.PositiveInfinity, 0.5], result.Values);
        Assert.Equal([1, 2, 3, 4], result.Timestamps.Select(at => at.ToUnixTimeSeconds()));
        Assert.Empty(Result("""{"Timestamps":[],"Values":[]}""").Values);
    }

    [Theory]
    [InlineData("""{"Values":null}""")]
    [InlineData("""{"Values":1}""")]
    [InlineData("""{"Values":[[1]]}""")]
    [InlineData("""{"Values":[{"a":1}]}""")]
    [InlineData("""{"Values":["one"]}""")]
    [InlineData("""{"Values":[null]}""")]
    [InlineData("""{"Timestamps":[1,"2"]}""")]
    public void Lists_of_something_else_are_refused(string json) => Assert.Throws<JsonException>(() => Result(json));

    private static MetricDataResult Result(string json) => JsonSerializer.Deserialize(json, AwsJsonContext.Default.MetricDataResult)!;

    private static async Task RoundTripAsync<T>(T body)
    {
        var serializer = new AwsJsonSerializer("1.1");
        var sent = serializer.ToHttpContent(body);
        var text = await sent.ReadAsStringAsync();
        Assert.NotEqual("{}", text);
        Assert.Equal("application/x-amz-json-1.1", sent.Headers.ContentType!.ToString());
        var back = await serializer.FromHttpContentAsync<T>(sent);
        Assert.Equal(text, await serializer.ToHttpContent(back!).ReadAsStringAsync());
    }

    private static object Sample(Type type)
    {
        var at = DateTimeOffset.FromUnixTimeMilliseconds(1795800000500);
        object[] samples =
        [
            new GetJobsRequest("next", 1000),
            new GetJobsResponse { Jobs = [new() { Name = "a", CreatedOn = at, MaxRetries = 2, ExecutionClass = "FLEX" }], NextToken = "next" },
            new GetJobRunsRequest("a", "next", 200),
            new GetJobRunsResponse
            {
                JobRuns = [new() { Id = "jr_1", Attempt = 1, PreviousRunId = "jr_0", JobRunState = "FAILED", StartedOn = at, CompletedOn = at, ExecutionTime = 1.5 }],
            },
            new GetMetricDataRequest([new("q0", new(new("Glue", "m", [new("JobName", "a")]), 300, "Average"))], at, at, "TimestampDescending"),
            new GetMetricDataResponse { MetricDataResults = [new() { Id = "q0", Timestamps = [at], Values = [1.25], StatusCode = "Complete" }] },
            new ListMetricsRequest("AWS/MWAA", "m", [new("Environment", "a"), new("Cluster")], "PT3H", "next"),
            new ListMetricsResponse { Metrics = [new() { Dimensions = [new() { Name = "Cluster", Value = "b" }] }], NextToken = "next" },
        ];
        return samples.Single(type.IsInstanceOfType);
    }
}
