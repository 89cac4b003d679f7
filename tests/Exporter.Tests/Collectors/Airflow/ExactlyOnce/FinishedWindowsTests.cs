using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Microsoft.AspNetCore.WebUtilities;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Tests.Collectors.Airflow.ExactlyOnce;

/// <summary>Airflow 2 lists task instances in no order: the finished ones are read in windows of time, while rows change.</summary>
public sealed class FinishedWindowsTests
{
    private static readonly DateTimeOffset Since = new(2026, 11, 23, 6, 0, 0, TimeSpan.Zero);

    /// <remarks>A row that changes moves to the end of time. One that was finished all the while must not be missed on its way.</remarks>
    [Fact]
    public Task An_instance_that_is_finished_all_the_while_is_read_wherever_it_moves() =>
        Gen.Select(Gen.Int[1, 400], Gen.Int[20, 60], Gen.Int[0, 20], Gen.Int[0, 1_000_000]).SampleAsync(async (count, pageSize, moves, seed) =>
        {
            var random = new Random(seed);
            var now = Since + TimeSpan.FromHours(1);
            var updated = Enumerable.Range(0, count).ToDictionary(i => i, _ => Since + (random.NextDouble() * TimeSpan.FromHours(1)));
            using var network = new Network(query =>
            {
                now += TimeSpan.FromSeconds(1);
                var (from, to) = (Instant(query["updated_at_gte"]!), query.TryGetValue("updated_at_lte", out var until) ? Instant(until!) : DateTimeOffset.MaxValue);
                int[] rows = [.. updated.Where(row => row.Value >= from && row.Value <= to).Select(row => row.Key).OrderBy(_ => random.Next())];
                var page = rows.Skip(int.Parse(query["offset"]!, CultureInfo.InvariantCulture)).Take(pageSize).ToArray();
                for (var i = random.Next(moves + 1); i > 0; i--)
                    updated[random.Next(count)] = now;
                return (now, rows.Length, page);
            });
            using var connection = new AirflowConnection(
                new AirflowEndpoint("production", new Uri("http://airflow.example"), new AirflowCredential.Bearer(() => "a-token")), TimeProvider.System, _ => { }, network: network);

            var read = await (await connection.ApiAsync(CancellationToken.None)).FinishedTaskInstancesAsync(Since, CancellationToken.None);

            Assert.Equal(Enumerable.Range(0, count), read.Rows.Select(row => row.MapIndex).Order());
        }, iter: 150, threads: 2);

    private static DateTimeOffset Instant(string text) => DateTimeOffset.Parse(text, CultureInfo.InvariantCulture);

    private sealed class Network(Func<Dictionary<string, string>, (DateTimeOffset Date, int Total, int[] Page)> list) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var path = request.RequestUri!.AbsolutePath;
            var answer = new HttpResponseMessage(path.StartsWith("/api/v1/", StringComparison.Ordinal) ? HttpStatusCode.OK : HttpStatusCode.NotFound) { RequestMessage = request };
            var body = "{}";
            if (path == "/api/v1/version")
                body = """{"version":"2.11.2"}""";
            else if (answer.IsSuccessStatusCode)
            {
                var (date, total, page) = list(QueryHelpers.ParseQuery(request.RequestUri.Query).ToDictionary(pair => pair.Key, pair => pair.Value.ToString()));
                answer.Headers.Date = date;
                body = new JsonObject { ["total_entries"] = total, ["task_instances"] = new JsonArray([.. page.Select(Row)]) }.ToJsonString();
            }
            answer.Content = new StringContent(body, Encoding.UTF8, "application/json");
            return Task.FromResult(answer);
        }

        private static JsonNode Row(int i) => new JsonObject
        {
            ["dag_id"] = "music", ["dag_run_id"] = "run", ["task_id"] = "part", ["map_index"] = i, ["try_number"] = 1, ["state"] = "success",
        };
    }
}
