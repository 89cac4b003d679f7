using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace PipelineExporter.Simulator.Tests.Airflow;

public sealed class AirflowV1Tests(SimulatorClient simulator) : IClassFixture<SimulatorClient>
{
    const string Tasks = "/dags/~/dagRuns/~/taskInstances";
    const string Since = "2026-11-23T11:00:40Z";

    [Fact]
    public async Task Missing_wrong_and_foreign_credentials_are_all_403_with_one_body()
    {
        foreach (var authorization in new[]
        {
            null, SimulatorClient.Basic("exporter", "wrong"), SimulatorClient.Basic("nobody", "simulator-password"),
            new AuthenticationHeaderValue("Bearer", simulator.Token), new AuthenticationHeaderValue("Basic", "?"),
        })
        {
            using var answer = await simulator.SendAsync("airflow2/api/v1/dags", authorization);
            Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
            using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
            Assert.True(JsonElement.DeepEquals(RecordedAnswersTests.Recorded("2.11", "error.403"), body.RootElement));
        }
    }

    [Theory]
    [InlineData("airflow2/api/v1/health")]
    [InlineData("airflow2/health")]
    [InlineData("airflow2/api/v1/version")]
    public async Task Health_and_version_need_no_login(string path)
    {
        using var answer = await simulator.SendAsync(path, SimulatorClient.Basic("exporter", "wrong"));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Answers_carry_the_simulators_clock_and_are_neither_compressed_nor_kept_alive()
    {
        using var answer = await simulator.SendAsync("airflow2/api/v1/dags", SimulatorClient.Basic("exporter", "simulator-password"), "gzip");
        Assert.Equal(SimulatorClient.Now, answer.Headers.Date);
        Assert.Empty(answer.Content.Headers.ContentEncoding);
        Assert.True(answer.Headers.ConnectionClose);
        Assert.StartsWith("{\n  \"dags\": [\n    {\n      \"dag_display_name\": ", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", 100)]
    [InlineData("&limit=5000", 100)]
    [InlineData("&limit=0", 100)]
    [InlineData("&limit=7", 7)]
    public async Task Lists_of_runs_are_cut_to_100_and_0_is_100(string limit, int rows)
    {
        var answer = await simulator.GetAsync("2.11", $"/dags/~/dagRuns?end_date_gte={Since}{limit}");
        Assert.Equal(rows, answer.GetProperty("dag_runs").GetArrayLength());
        Assert.InRange(answer.GetProperty("total_entries").GetInt32(), 150, 250);
    }

    [Fact]
    public async Task Lists_of_task_instances_are_not_cut_and_0_is_none()
    {
        var all = await simulator.GetAsync("2.11", $"{Tasks}?end_date_gte={Since}&limit=5000");
        var total = all.GetProperty("total_entries").GetInt32();
        Assert.InRange(total, 500, 1500);
        Assert.Equal(total, all.GetProperty("task_instances").GetArrayLength());
        Assert.Equal(100, (await simulator.RowsAsync("2.11", $"{Tasks}?end_date_gte={Since}", "task_instances")).Count);
        var none = await simulator.GetAsync("2.11", $"{Tasks}?end_date_gte={Since}&limit=0");
        Assert.Equal((total, 0), (none.GetProperty("total_entries").GetInt32(), none.GetProperty("task_instances").GetArrayLength()));
    }

    [Theory]
    [InlineData("limit=-1")]
    [InlineData("state=bogus")]
    [InlineData("state=null")]
    public async Task Some_parameters_break_the_server(string query)
    {
        using var answer = await simulator.SendAsync("2.11", $"{Tasks}?{query}");
        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        Assert.Equal("text/html", answer.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task Task_instances_come_in_no_order_of_their_own_that_paging_could_rely_on()
    {
        var rows = await simulator.RowsAsync("2.11", $"{Tasks}?end_date_gte={Since}&limit=5000", "task_instances");
        var starts = rows.Select(row => SimulatorClient.Text(row, "start_date")).ToList();
        Assert.NotEqual(starts.Order(StringComparer.Ordinal), starts);
    }

    [Fact]
    public async Task Dates_end_in_the_offset_and_have_no_fraction_when_it_is_zero()
    {
        var rows = await simulator.RowsAsync("2.11", $"/dags/music_streaming_validation/dagRuns?end_date_gte={Since}", "dag_runs");
        Assert.All(rows, row =>
        {
            Assert.Matches(@"^2026-11-23T1\d:\d0:00\+00:00$", SimulatorClient.Text(row, "logical_date"));
            Assert.Matches(@"^2026-11-23T1\d:\d\d:\d\d\.\d{6}\+00:00$", SimulatorClient.Text(row, "start_date"));
            Assert.Equal($"scheduled__{SimulatorClient.Text(row, "logical_date")}", SimulatorClient.Text(row, "dag_run_id"));
        });
    }

    [Theory]
    [InlineData("2026-11-23T11:00:40Z")]
    [InlineData("2026-11-23T11:00:40.000000Z")]
    [InlineData("2026-11-23T11:00:40%2B00:00")]
    [InlineData("2026-11-23T13:00:40%2B02:00")]
    public async Task A_date_may_have_any_zone(string date)
    {
        var expected = (await simulator.GetAsync("2.11", $"/dags/~/dagRuns?end_date_gte={Since}")).GetProperty("total_entries").GetInt32();
        Assert.Equal(expected, (await simulator.GetAsync("2.11", $"/dags/~/dagRuns?end_date_gte={date}")).GetProperty("total_entries").GetInt32());
    }

    [Theory]
    [InlineData("2026-11-23T11:00:40+00:00")]
    [InlineData("1760000000")]
    [InlineData("yesterday")]
    public async Task A_date_with_a_bare_plus_an_epoch_and_a_word_are_400(string date)
    {
        using var answer = await simulator.SendAsync("2.11", $"/dags/~/dagRuns?end_date_gte={date}");
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task Unfinished_runs_lead_the_descending_end_dates_and_are_dropped_by_end_date_gte()
    {
        var newest = await simulator.RowsAsync("2.11", $"/dags/~/dagRuns?updated_at_gte={Since}&order_by=-end_date", "dag_runs");
        Assert.Null(SimulatorClient.Text(newest[0], "end_date"));
        var oldest = await simulator.RowsAsync("2.11", $"/dags/~/dagRuns?updated_at_gte={Since}&order_by=end_date", "dag_runs");
        Assert.NotNull(SimulatorClient.Text(oldest[0], "end_date"));
        var ended = await simulator.RowsAsync("2.11", $"/dags/~/dagRuns?end_date_gte={Since}&order_by=-end_date", "dag_runs");
        Assert.All(ended, row => Assert.NotNull(SimulatorClient.Text(row, "end_date")));
    }

    [Theory]
    [InlineData("state=running&state=queued")]
    [InlineData("state=running,queued")]
    public async Task States_are_repeated_or_separated_by_commas_and_a_run_state_that_is_none_finds_nothing(string query)
    {
        var runs = await simulator.RowsAsync("2.11", "/dags/~/dagRuns?" + query, "dag_runs");
        Assert.NotEmpty(runs);
        Assert.All(runs, row => Assert.Contains(SimulatorClient.Text(row, "state"), new[] { "running", "queued" }));
        Assert.Empty(await simulator.RowsAsync("2.11", "/dags/~/dagRuns?state=bogus", "dag_runs"));
    }

    [Fact]
    public async Task A_dataset_run_and_a_triggered_run_have_the_names_of_airflow_2()
    {
        var kpi = (await simulator.RowsAsync("2.11", $"/dags/music_streaming_kpi_computation/dagRuns?end_date_gte={Since}", "dag_runs"))[0];
        Assert.Equal("dataset_triggered", SimulatorClient.Text(kpi, "run_type"));
        Assert.Equal($"dataset_triggered__{SimulatorClient.Text(kpi, "execution_date")}", SimulatorClient.Text(kpi, "dag_run_id"));
        var load = (await simulator.RowsAsync("2.11", $"/dags/music_streaming_dynamodb_load/dagRuns?end_date_gte={Since}", "dag_runs"))[0];
        Assert.Equal(("manual", true), (SimulatorClient.Text(load, "run_type"), load.GetProperty("external_trigger").GetBoolean()));
        Assert.StartsWith("manual__", SimulatorClient.Text(load, "dag_run_id"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fields_cut_a_run_down_to_what_is_asked_for()
    {
        foreach (var query in new[] { "fields=dag_id&fields=state", "fields=dag_id,state" })
        {
            var row = (await simulator.RowsAsync("2.11", $"/dags/~/dagRuns?end_date_gte={Since}&limit=1&{query}", "dag_runs"))[0];
            Assert.Equal(["dag_id", "state"], row.EnumerateObject().Select(member => member.Name));
        }
    }

    [Fact]
    public async Task What_an_unknown_dag_has_is_an_empty_list()
    {
        Assert.Empty(await simulator.RowsAsync("2.11", "/dags/unknown_dag/dagRuns", "dag_runs"));
        Assert.Empty(await simulator.RowsAsync("2.11", "/dags/unknown/dagRuns/~/taskInstances", "task_instances"));
    }

    [Fact]
    public async Task The_tries_of_what_is_not_there_are_empty_and_of_index_minus_one_404()
    {
        var run = await MappedRunAsync();
        var path = $"/dags/track_metadata_enrichment/dagRuns/{run}/taskInstances/enrich_track";
        Assert.Empty(await simulator.RowsAsync("2.11", path + "/tries", "task_instances"));
        Assert.NotEmpty(await simulator.RowsAsync("2.11", path + "/3/tries?limit=1&order_by=-try_number", "task_instances"));
        Assert.Empty(await simulator.RowsAsync("2.11", "/dags/~/dagRuns/~/taskInstances/enrich_track/3/tries", "task_instances"));
        Assert.Empty(await simulator.RowsAsync("2.11", $"/dags/track_metadata_enrichment/dagRuns/{run}/taskInstances/nope/tries", "task_instances"));
        using var minus = await simulator.SendAsync("2.11", path + "/-1/tries");
        Assert.Equal(HttpStatusCode.NotFound, minus.StatusCode);
        using var unmapped = await simulator.SendAsync("2.11", path);
        Assert.Equal(HttpStatusCode.NotFound, unmapped.StatusCode);
        using var body = JsonDocument.Parse(await unmapped.Content.ReadAsStringAsync());
        Assert.True(JsonElement.DeepEquals(RecordedAnswersTests.Recorded("2.11", "error.mapped.404"), body.RootElement));
        Assert.Equal(3, (await simulator.GetAsync("2.11", path + "/3")).GetProperty("map_index").GetInt32());
    }

    [Fact]
    public async Task A_run_id_is_found_under_any_dag()
    {
        var run = await MappedRunAsync();
        var rows = await simulator.RowsAsync("2.11", $"/dags/~/dagRuns/{run}/taskInstances", "task_instances");
        Assert.Contains(rows, row => SimulatorClient.Text(row, "task_id") == "enrich_track");
        Assert.All(rows, row => Assert.Equal(Uri.UnescapeDataString(run), SimulatorClient.Text(row, "dag_run_id")));
    }

    [Fact]
    public async Task Payloads_hold_a_secret_that_nobody_should_repeat()
    {
        using var answer = await simulator.SendAsync("2.11", $"/dags/music_streaming_dynamodb_load/dagRuns?end_date_gte={Since}");
        Assert.Contains("payload-secret", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    async Task<string> MappedRunAsync()
    {
        var runs = await simulator.RowsAsync("2.11", $"/dags/track_metadata_enrichment/dagRuns?end_date_gte={Since}&limit=1", "dag_runs");
        return Uri.EscapeDataString(SimulatorClient.Text(runs[0], "dag_run_id")!);
    }
}
