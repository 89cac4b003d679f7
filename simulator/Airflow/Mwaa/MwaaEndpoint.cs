using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Airflow.Mwaa;

/// <summary>
/// Amazon MWAA's InvokeRestApi, POST /restapi/{Name}: signed for AWS, and passed on to the web server of one of two environments,
/// within this process.
/// </summary>
internal sealed class MwaaEndpoint(SignatureVerifier verifier, FaultInjector faults, TimeProvider time)
{
    public const string Root = "/restapi";

    /// <summary>The source of faults.</summary>
    public const string Source = "mwaa";

    const string Operation = "InvokeRestApi";
    const int MaxBodyBytes = 1024 * 1024;
    const int MaxAnswerBytes = 6 * 1024 * 1024;

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    readonly Dictionary<string, MwaaEnvironment> environments = new()
    {
        ["music-streaming"] = new("/airflow3/api/v2", time),
        ["music-streaming-2"] = new("/airflow2/api/v1", time),
    };

    /// <param name="web">What answers a request to an Airflow.</param>
    public async Task HandleAsync(HttpContext context, RequestDelegate web)
    {
        context.Response.Headers["x-amzn-RequestId"] = Guid.NewGuid().ToString();
        context.Response.Headers.Date = time.GetUtcNow().ToString("R");
        context.Response.ContentType = "application/json";
        if (await SignedRequest.ReadAsync(context, MaxBodyBytes) is not { } request)
            return;
        try
        {
            var signature = verifier.Verify(request, "airflow");
            var name = context.Request.Path.Value![(Root.Length + 1)..];
            var invocation = MwaaInvocation.Read(name, request.Body);
            var isStruck = await faults.StrikeAsync(context, Source, $"{Operation} {name} {invocation.Path}", (struck, status) => RefuseAsync(struck, Fault(status)));
            if (isStruck)
                return;
            if (environments.GetValueOrDefault(name) is not { } environment)
                throw new AwsException("ResourceNotFoundException", $"No environment found with name: {name}", 404);
            if (!environment.Admits())
                throw Throttled();
            await PassOnAsync(context, web, environment, invocation, UserOf(signature.Principal));
        }
        catch (SignatureException refused)
        {
            await RefuseAsync(context, new AwsException(refused.JsonCode, refused.Message, 403));
        }
        catch (AwsException error)
        {
            await RefuseAsync(context, error);
        }
    }

    /// <summary>An assumed role of a user's name is that user; every other identity is one that may write.</summary>
    static AirflowUser UserOf(AwsPrincipal principal) =>
        principal.Arn.Split('/') is [_, var role, _] && AirflowUser.Named(role) is { } user ? user : AirflowUser.Named("operator")!;

    async Task PassOnAsync(HttpContext context, RequestDelegate web, MwaaEnvironment environment, MwaaInvocation invocation, AirflowUser user)
    {
        using var patience = new CancellationTokenSource(Patience, time);
        using var given = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, context.RequestAborted);
        var inner = invocation.Request(environment.Root, context.RequestServices, given);
        inner.Features.Set(user);
        try
        {
            await web(inner);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            given.Cancel();
        }

        // The web server took too long, or cut the connection.
        if (given.IsCancellationRequested)
            throw Failed();
        var body = ((MemoryStream)inner.Response.Body).ToArray();
        if (body.Length > MaxAnswerBytes)
            throw new AwsException("InternalServerException", "The response of the Apache Airflow REST API is larger than 6 MB.", 500);
        await AnswerAsync(context, inner.Response.StatusCode, Json(inner.Response, body));
    }

    /// <summary>What is no JSON is passed on as text.</summary>
    static JsonElement Json(HttpResponse response, byte[] body)
    {
        if (body.Length == 0)
            return JsonElement.Parse("{}");
        if (response.ContentType?.Contains("json", StringComparison.Ordinal) != true)
            return JsonElement.Parse(JsonSerializer.SerializeToUtf8Bytes(Encoding.UTF8.GetString(body), MwaaJson.Default.String));
        try
        {
            return JsonElement.Parse(body);
        }
        catch (JsonException)
        {
            throw Failed();
        }
    }

    static async Task AnswerAsync(HttpContext context, int status, JsonElement body)
    {
        var error = status switch
        {
            >= 500 => "RestApiServerException",
            >= 400 => "RestApiClientException",
            _ => null,
        };
        if (error is not null)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            context.Response.Headers["x-amzn-ErrorType"] = error;
        }
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        if (error is not null)
            json.WriteString("__type", error);
        json.WriteNumber("RestApiStatusCode", status);
        json.WritePropertyName("RestApiResponse");
        body.WriteTo(json);
        json.WriteEndObject();
    }

    static async Task RefuseAsync(HttpContext context, AwsException error)
    {
        context.Response.StatusCode = error.Status;
        context.Response.Headers["x-amzn-ErrorType"] = error.Code;
        await using var json = new Utf8JsonWriter(context.Response.BodyWriter);
        json.WriteStartObject();
        json.WriteString("__type", error.Code);
        json.WriteString(error.Code == "AccessDeniedException" ? "Message" : "message", error.Text);
        json.WriteEndObject();
    }

    static AwsException Fault(int status) => status switch
    {
        429 => Throttled(),
        503 => new AwsException("ServiceUnavailableException", "The service is currently unavailable.", 503),
        >= 500 => Failed(status),
        _ => new AwsException("AccessDeniedException", "User is not authorized to perform: airflow:InvokeRestApi", status),
    };

    static AwsException Throttled() => new("ThrottlingException", "Rate exceeded", 429);

    static AwsException Failed(int status = 500) => new("InternalServerException", "An internal error has occurred.", status);
}
