using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using PipelineExporter.Simulator.Aws;

namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>Errors as Debian's aws CLI, and with it people, read them.</summary>
public sealed class AwsCliErrorsTests : IAsyncLifetime
{
    const string Denied = "User: arn:aws:iam::123456789012:user/simulator is not authorized to perform: ";

    SimulatorHost simulator = null!;
    AwsCli aws = null!;

    public static TheoryData<string> Names => [.. AwsCliOperations.All.Keys];

    public async ValueTask InitializeAsync()
    {
        simulator = await SimulatorHost.StartAsync(new SimulatorOptions { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, TestContext.Current.CancellationToken);
        aws = new(simulator.Address);
    }

    public ValueTask DisposeAsync() => simulator.DisposeAsync();

    [Theory]
    [MemberData(nameof(Names))]
    public async Task An_operation_that_no_policy_allows_is_denied_by_the_name_that_policies_have_for_it(string operation)
    {
        var (arguments, action) = AwsCliOperations.All[operation];
        await InjectAsync($$"""{"source": "*", "kind": "error", "status": 403, "match": "{{operation}}"}""");

        var error = await aws.RefusalAsync(arguments);
        Assert.Matches($@"\(AccessDenied(Exception)?\) when calling the {operation} operation", error);
        Assert.Contains($"{Denied}{action} because", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GetJobRuns", "ThrottlingException", "Rate exceeded")]
    [InlineData("ListMetrics", "Throttling", "Rate exceeded")]
    [InlineData("DescribeTable", "ThrottlingException", "Rate of requests exceeds the allowed throughput.")]
    [InlineData("ListBuckets", "SlowDown", "Please reduce your request rate.")]
    [InlineData("AssumeRole", "Throttling", "Rate exceeded")]
    public async Task Who_asks_too_often_is_told_so_and_has_an_answer_at_the_second_try(string operation, string code, string message)
    {
        await InjectAsync("""{"source": "*", "kind": "throttle", "count": 2}""");

        var error = await aws.RefusalAsync(AwsCliOperations.All[operation].Arguments);
        Assert.Contains($"({code}) when calling the {operation} operation", error, StringComparison.Ordinal);
        Assert.EndsWith(message, error.TrimEnd(), StringComparison.Ordinal);

        Assert.NotNull(await aws.AnswerAsync(new() { ["AWS_MAX_ATTEMPTS"] = "2" }, AwsCliOperations.All[operation].Arguments));
    }

    [Theory]
    [InlineData("GetJobs", "ExpiredTokenException")]
    [InlineData("ListMetrics", "ExpiredToken(Exception)?")]
    [InlineData("ListTables", "ExpiredTokenException")]
    [InlineData("ListBuckets", "ExpiredToken")]
    [InlineData("GetCallerIdentity", "ExpiredToken")]
    public async Task Keys_of_an_hour_ago_have_expired(string operation, string code)
    {
        var old = new AwsCredentials().Issue(AwsCredentials.AccountId, "reader", "cli", TimeProvider.System.GetUtcNow().AddHours(-2), TimeSpan.FromHours(1));

        Assert.Matches($@"\({code}\) when calling the {operation} operation", await aws.RefusalAsync(
            new() { ["AWS_ACCESS_KEY_ID"] = old.AccessKeyId, ["AWS_SECRET_ACCESS_KEY"] = old.SecretAccessKey, ["AWS_SESSION_TOKEN"] = old.SessionToken }, AwsCliOperations.All[operation].Arguments));
    }

    [Theory]
    [InlineData("GetJobRuns", "EntityNotFoundException")]
    [InlineData("DescribeTable", "ResourceNotFoundException")]
    public async Task What_is_in_another_region_is_not_there(string operation, string code) => Assert.Contains(
        $"({code}) when calling the {operation} operation", await aws.RefusalAsync(new() { ["AWS_REGION"] = "eu-central-1" }, AwsCliOperations.All[operation].Arguments), StringComparison.Ordinal);

    [Theory]
    [InlineData("GetJobs", "UnknownOperationException")]
    [InlineData("ListMetrics", "InvalidAction|UnknownOperationException")]
    [InlineData("ListTables", "UnknownOperationException")]
    [InlineData("ListBuckets", "NotImplemented")]
    [InlineData("GetCallerIdentity", "InvalidAction")]
    public async Task A_region_can_be_without_a_service(string operation, string code)
    {
        await InjectAsync("""{"source": "*", "kind": "no_service", "region": "us-east-1"}""");

        Assert.Matches($@"\(({code})\) when calling the {operation} operation", await aws.RefusalAsync(new() { ["AWS_REGION"] = "us-east-1" }, AwsCliOperations.All[operation].Arguments));
        Assert.NotNull(await aws.AnswerAsync(AwsCliOperations.All[operation].Arguments));
    }

    async Task InjectAsync(string fault)
    {
        using var http = new HttpClient { BaseAddress = simulator.Address };
        using var response = await http.PostAsJsonAsync("/simulator/faults", JsonNode.Parse(fault), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }
}
