using System.Net;
using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.AspNetCore.WebUtilities;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Sources.Airflow;

/// <summary>
/// Sends requests for an Airflow's REST API through Amazon MWAA's InvokeRestApi, and gives what Airflow answered as if it had
/// been asked itself. What AWS itself refuses is an <see cref="AwsException"/>.
/// </summary>
/// <remarks>
/// MWAA puts the version's prefix in front of the path, lets some 10 requests a second through to an environment, from whomever,
/// and waits 10 s for an answer of 6 MB at most.
/// </remarks>
internal sealed partial class MwaaHandler : DelegatingHandler
{
    public const string Operation = "InvokeRestApi";
    public const int LongestPath = 64;
    public const int RequestsPerSecond = 10;

    private const string Prefix = "/api/v";
    private const string Json = "application/json";

    private readonly AwsSource source;
    private readonly Uri address;
    private readonly string environment;
    private readonly ILogger log;
    private readonly AwsPace pace;
    private bool toldOfLength;

    /// <param name="environment">The exporter's name for this Airflow.</param>
    /// <param name="source">Disposed of with the handler.</param>
    public MwaaHandler(string environment, AirflowCredential.Mwaa mwaa, AwsSource source, TimeProvider time, ILogger log)
        : base(source.Handler(AwsService.Mwaa))
    {
        (this.source, this.environment, this.log) = (source, environment, log);
        var endpoint = source.Address(AwsService.Mwaa).AbsoluteUri;
        address = new Uri($"{endpoint.TrimEnd('/')}/restapi/{Uri.EscapeDataString(mwaa.Name)}");
        pace = new AwsPace(RequestsPerSecond / 2, time); // the other half is left to others, and to retries
    }

    /// <summary>The path as MWAA wants it: without the prefix, and with nothing escaped that may stand in a path.</summary>
    internal static string PathOf(Uri url)
    {
        var path = url.AbsolutePath;
        path = path[(path.IndexOf(Prefix, StringComparison.Ordinal) + Prefix.Length + 1)..];
        return path.Replace("%3A", ":", StringComparison.OrdinalIgnoreCase).Replace("%2B", "+", StringComparison.OrdinalIgnoreCase);
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken ct)
    {
        var path = PathOf(request.RequestUri!);
        if (path.Length > LongestPath)
        {
            if (!Interlocked.Exchange(ref toldOfLength, true))
                LogTooLong(log, $"airflow/{environment}", LongestPath, path.Length);
            return Answer(request, HttpStatusCode.NotFound, """{"detail":"Amazon MWAA takes no path of this length"}"""u8.ToArray(), date: null);
        }
        await pace.WaitAsync(ct);
        using var invocation = new HttpRequestMessage(HttpMethod.Post, address) { Content = await ContentAsync(request, path, ct) };
        invocation.Options.Set(AwsHandler.Operation, Operation);
        invocation.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(Json));
        invocation.Headers.UserAgent.Add(AwsSource.UserAgent);
        using var response = await base.SendAsync(invocation, ct);
        var (status, body) = Unwrap(await response.Content.ReadAsByteArrayAsync(ct));
        return Answer(request, status, body, response.Headers.Date);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            source.Dispose();
        base.Dispose(disposing);
    }

    private static async Task<ByteArrayContent> ContentAsync(HttpRequestMessage request, string path, CancellationToken ct)
    {
        using var body = new MemoryStream();
        await using (var json = new Utf8JsonWriter(body))
        {
            json.WriteStartObject();
            json.WriteString("Path", path);
            json.WriteString("Method", request.Method.Method);
            if (request.RequestUri!.Query.Length > 1)
                WriteQuery(json, request.RequestUri.Query);
            if (request.Content is { } content)
            {
                json.WritePropertyName("Body");
                json.WriteRawValue(await content.ReadAsByteArrayAsync(ct));
            }
            json.WriteEndObject();
        }
        return new ByteArrayContent(body.ToArray()) { Headers = { ContentType = new MediaTypeHeaderValue(Json) } };
    }

    /// <summary>A parameter that is given more than once becomes a list.</summary>
    private static void WriteQuery(Utf8JsonWriter json, string query)
    {
        json.WriteStartObject("QueryParameters");
        foreach (var (name, values) in QueryHelpers.ParseQuery(query))
        {
            if (values.Count == 1)
            {
                json.WriteString(name, values[0]);
                continue;
            }
            json.WriteStartArray(name);
            foreach (var value in values)
                json.WriteStringValue(value);
            json.WriteEndArray();
        }
        json.WriteEndObject();
    }

    /// <exception cref="AwsException">The answer is not one of InvokeRestApi.</exception>
    private static (HttpStatusCode Status, byte[] Body) Unwrap(byte[] answer)
    {
        try
        {
            using var document = JsonDocument.Parse(answer);
            if (document.RootElement is { ValueKind: JsonValueKind.Object } root
                && root.TryGetProperty("RestApiStatusCode", out var code) && code.ValueKind == JsonValueKind.Number
                && code.TryGetInt32(out var status) && status is >= 100 and <= 599)
            {
                return ((HttpStatusCode)status, root.TryGetProperty("RestApiResponse", out var body) ? JsonMarshal.GetRawUtf8Value(body).ToArray() : []);
            }
        }
        catch (JsonException)
        {
            // A proxy's page, most likely: said below, without its text.
        }
        throw AwsException.Malformed(AwsService.Mwaa, Operation, "the answer is not what Amazon MWAA sends");
    }

    private static HttpResponseMessage Answer(HttpRequestMessage request, HttpStatusCode status, byte[] body, DateTimeOffset? date)
    {
        var response = new HttpResponseMessage(status) { RequestMessage = request, Content = new ByteArrayContent(body) };
        response.Content.Headers.ContentType = new MediaTypeHeaderValue(Json);
        response.Headers.Date = date;
        return response;
    }

    [LoggerMessage(LogLevel.Warning,
        "{source}: Amazon MWAA passes on no path of more than {limit} characters, and one of {length} was to be asked for: the histories of task "
        + "instances with such ids cannot be read. A try of theirs that ends and is followed by another between two polls is not counted, and the "
        + "last success of a DAG with such an id stays unknown. This is said once")]
    private static partial void LogTooLong(ILogger log, string source, int limit, int length);
}
