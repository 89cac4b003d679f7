using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;

namespace PipelineExporter.Simulator.Tests;

/// <summary>A simulator on a free port whose clock stands still, and a client of its two Airflows.</summary>
public sealed class SimulatorClient : IAsyncLifetime
{
    public static readonly DateTimeOffset Now = new(2026, 11, 23, 12, 0, 40, TimeSpan.Zero);

    SimulatorHost? host;

    public FakeTimeProvider Time { get; } = new(Now);

    public HttpClient Http { get; } = new(new HttpClientHandler { AutomaticDecompression = DecompressionMethods.None });

    public string? Token { get; private set; }

    public async ValueTask InitializeAsync()
    {
        host = await SimulatorHost.StartAsync(new SimulatorOptions { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null, Time = Time }, CancellationToken.None);
        Http.BaseAddress = host.Address;
        Token = await LoginAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (host is not null)
            await host.DisposeAsync();
    }

    public async Task<string> LoginAsync(string user = "exporter")
    {
        using var answer = await Http.PostAsync("airflow3/auth/token", Json($$"""{"username": "{{user}}", "password": "simulator-password"}"""));
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return body.RootElement.GetProperty("access_token").GetString()!;
    }

    public static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    public static AuthenticationHeaderValue Basic(string user, string password) =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")));

    /// <summary>GET with credentials: a path of REST v1 (2.11) or v2 (3.3), from /api/vN on.</summary>
    public Task<HttpResponseMessage> SendAsync(string version, string path) => version == "2.11"
        ? SendAsync("airflow2/api/v1" + path, Basic("exporter", "simulator-password"))
        : SendAsync("airflow3/api/v2" + path, new AuthenticationHeaderValue("Bearer", Token));

    public async Task<HttpResponseMessage> SendAsync(string path, AuthenticationHeaderValue? authorization, string? acceptEncoding = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = authorization;
        if (acceptEncoding is not null)
            request.Headers.AcceptEncoding.ParseAdd(acceptEncoding);
        return await Http.SendAsync(request);
    }

    public async Task<JsonElement> GetAsync(string version, string path)
    {
        using var answer = await SendAsync(version, path);
        var body = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{path}: {(int)answer.StatusCode} {body}");
        return JsonDocument.Parse(body).RootElement;
    }

    /// <summary>The rows of a list.</summary>
    public async Task<IReadOnlyList<JsonElement>> RowsAsync(string version, string path, string name) =>
        [.. (await GetAsync(version, path)).GetProperty(name).EnumerateArray()];

    public async Task<JsonElement> ControlAsync(HttpMethod method, string path, string? body = null, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var request = new HttpRequestMessage(method, "simulator" + path);
        request.Content = body is null ? null : Json(body);
        using var answer = await Http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == status, $"{path}: {(int)answer.StatusCode} {text}");
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>A row's member as text; null when it is null.</summary>
    public static string? Text(JsonElement row, string name) => row.GetProperty(name) is { ValueKind: not JsonValueKind.Null } value ? value.ToString() : null;
}
