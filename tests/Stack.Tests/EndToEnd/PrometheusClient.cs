using System.Net.Http.Json;
using System.Text.Json;

namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>Asks a running Prometheus.</summary>
internal sealed class PrometheusClient(Uri address) : IDisposable
{
    private readonly HttpClient http = new() { BaseAddress = address };

    /// <summary>The instant vector of an expression: each element's labels and value.</summary>
    public async Task<IReadOnlyList<(JsonElement Labels, double Value)>> QueryAsync(string expression)
    {
        var answer = await http.GetFromJsonAsync<JsonElement>($"api/v1/query?query={Uri.EscapeDataString(expression)}");
        return
        [
            .. answer.GetProperty("data").GetProperty("result").EnumerateArray().Select(sample =>
                (sample.GetProperty("metric"), double.Parse(sample.GetProperty("value")[1].GetString()!))),
        ];
    }

    /// <summary>Waits until an expression has a result that <paramref name="wanted"/> accepts.</summary>
    public async Task WaitAsync(string expression, Func<IReadOnlyList<(JsonElement Labels, double Value)>, bool> wanted, TimeSpan patience, Func<string> explain)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (!wanted(await QueryAsync(expression)))
        {
            if (TimeProvider.System.GetElapsedTime(started) > patience)
                Assert.Fail($"{expression} did not become what was waited for within {patience}.\n{explain()}");
            await Task.Delay(TimeSpan.FromMilliseconds(200), TestContext.Current.CancellationToken);
        }
    }

    public void Dispose() => http.Dispose();
}
