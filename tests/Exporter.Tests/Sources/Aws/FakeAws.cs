using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Globalization;
using Amazon.Runtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Logging;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Sources.Aws;

/// <summary>A request as it came in.</summary>
internal sealed record FakeRequest(string? Target, string? ContentType, IReadOnlyDictionary<string, string> Headers, string Body)
{
    /// <summary>With the query.</summary>
    public string Path { get; init; } = "/";

    /// <summary>As AWS calls it, whatever the protocol.</summary>
    public string Operation =>
        Target is { } target ? target.Split('.')[1]
        : QueryHelpers.ParseQuery(Body).TryGetValue("Action", out var action) ? action.ToString()
        : QueryHelpers.ParseQuery(Path.Split('?', 2) is [_, var query] ? query : "").Keys.Select(key => key switch
        {
            "lifecycle" => "GetBucketLifecycleConfiguration",
            "metrics" => "ListBucketMetricsConfigurations",
            "location" => "GetBucketLocation",
            _ => null,
        }).FirstOrDefault(operation => operation is not null) ?? "ListBuckets";

    /// <summary>The access key that signed it; empty without a signature.</summary>
    public string Key => Headers.GetValueOrDefault("Authorization", "").Split("Credential=")[^1].Split('/')[0];

    public string Token => Headers.GetValueOrDefault("X-Amz-Security-Token", "");

    public DateTimeOffset SignedAt => DateTimeOffset.ParseExact(
        Headers["X-Amz-Date"], "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);
}

/// <summary>An answer that a test makes up.</summary>
internal sealed record FakeAnswer(int Status, string Body)
{
    /// <summary>Null: what the body looks like.</summary>
    public string? ContentType { get; init; }

    public static FakeAnswer Denial(string protocol) => protocol switch
    {
        "json" => new(400, """{"__type":"AccessDeniedException","Message":"no"}"""),
        "named json" => new(400, """{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no"}"""),
        "query" => new(403, """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"""),
        "s3" => new(403, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>no</Message></Error>"),
        _ => throw new ArgumentException(protocol, nameof(protocol)),
    };

    public Task WriteAsync(HttpContext context)
    {
        context.Response.StatusCode = Status;
        context.Response.ContentType = ContentType ?? (Body.StartsWith('<') ? "application/xml" : context.Response.ContentType);
        return context.Response.WriteAsync(Body);
    }
}

/// <summary>A web server on the loopback that answers as the test tells it to.</summary>
internal sealed class FakeAws : IAsyncDisposable
{
    /// <summary>What an operation answers that finds nothing.</summary>
    public const string Nothing = """{"Jobs":[],"JobRuns":[],"Metrics":[],"MetricDataResults":[]}""";

    public static readonly AWSCredentials Keys = new SessionAWSCredentials("AKIDEXAMPLE", "wJalrXUtnFEMI-the-secret", "the-session-token");

    private readonly WebApplication app;

    private FakeAws(WebApplication app) => this.app = app;

    public Uri Address => new(app.Urls.Single());

    public ConcurrentQueue<FakeRequest> Requests { get; } = [];

    /// <summary>Decides the next answers; its second argument is the body that was sent.</summary>
    public Func<HttpContext, FakeRequest, Task> Answer { get; set; } = (context, _) => context.Response.WriteAsync(Nothing);

    public static async Task<FakeAws> StartAsync(Func<HttpContext, FakeRequest, Task>? answer = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var fake = new FakeAws(builder.Build());
        if (answer is not null)
            fake.Answer = answer;
        fake.app.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var request = new FakeRequest(
                context.Request.Headers["X-Amz-Target"], context.Request.ContentType,
                context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase),
                await reader.ReadToEndAsync()) { Path = context.Request.Path + context.Request.QueryString.ToString() };
            fake.Requests.Enqueue(request);
            context.Response.ContentType = "application/x-amz-json-1.1";
            await fake.Answer(context, request);
        });
        await fake.app.StartAsync();
        return fake;
    }

    /// <summary>The exporter's side of it.</summary>
    public AwsSource Source(
        TimeProvider? time = null, Action<string>? observe = null, AwsResilience? resilience = null, string? accountId = "123456789012",
        AwsRole? role = null, ImmutableArray<KeyValuePair<string, string>>? labels = null) =>
        new(
            new() { Name = "eu-west-1", Region = "eu-west-1", AccountId = accountId, Role = role, EndpointUrl = Address, Labels = labels ?? [] },
            time ?? TimeProvider.System, observe, Keys, resilience ?? new() { Delay = TimeSpan.FromMilliseconds(1) }, _ => null);

    public async ValueTask DisposeAsync() => await app.DisposeAsync();
}
