using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace PipelineExporter.Simulator.Tests.Airflow;

public sealed class AirflowUserTests(SimulatorClient simulator) : IClassFixture<SimulatorClient>
{
    static readonly (string Name, string Path)[] Endpoints =
    [
        ("dags", "/dags"), ("dags", "/dags/playlist_refresh"), ("runs", "/dags/~/dagRuns?limit=1&end_date_gte=2026-11-23T11:59:00Z"),
        ("tasks", "/dags/~/dagRuns/~/taskInstances?limit=1&end_date_gte=2026-11-23T11:59:00Z"), ("pools", "/pools"), ("pools", "/pools/default_pool"),
        ("import_errors", "/importErrors"),
    ];

    [Theory]
    [InlineData("exporter", "")]
    [InlineData("operator", "")]
    [InlineData("without-dags", "dags runs tasks import_errors")]
    [InlineData("without-runs", "runs tasks")]
    [InlineData("without-tasks", "tasks")]
    [InlineData("without-pools", "pools")]
    [InlineData("without-import-errors", "import_errors")]
    public async Task A_user_is_refused_what_it_lacks_and_what_hangs_on_that(string user, string refused)
    {
        var token = new AuthenticationHeaderValue("Bearer", await simulator.LoginAsync(user));
        foreach (var (name, path) in Endpoints)
        {
            var status = refused.Split(' ').Contains(name) ? HttpStatusCode.Forbidden : HttpStatusCode.OK;
            using var two = await simulator.SendAsync("airflow2/api/v1" + path, SimulatorClient.Basic(user, "simulator-password"));
            using var three = await simulator.SendAsync("airflow3/api/v2" + path, token);
            Assert.Equal((path, status, status), (path, two.StatusCode, three.StatusCode));
        }
    }

    [Fact]
    public async Task Airflow_2_says_the_same_of_a_missing_permission_as_of_a_wrong_password_and_airflow_3_forbidden()
    {
        using var two = await simulator.SendAsync("airflow2/api/v1/pools", SimulatorClient.Basic("without-pools", "simulator-password"));
        using var body = JsonDocument.Parse(await two.Content.ReadAsStringAsync());
        Assert.True(JsonElement.DeepEquals(RecordedAnswersTests.Recorded("2.11", "error.403"), body.RootElement));
        using var three = await simulator.SendAsync("airflow3/api/v2/pools", new AuthenticationHeaderValue("Bearer", await simulator.LoginAsync("without-pools")));
        Assert.Equal("""{"detail":"Forbidden"}""", await three.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Health_and_version_are_for_users_without_any_permission_too()
    {
        foreach (var path in new[] { "airflow2/api/v1/health", "airflow2/api/v1/version", "airflow3/api/v2/monitor/health", "airflow3/api/v2/version" })
        {
            using var answer = await simulator.SendAsync(path, SimulatorClient.Basic("without-dags", "simulator-password"));
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }
}
