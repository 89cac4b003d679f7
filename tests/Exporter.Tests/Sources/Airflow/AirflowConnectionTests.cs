using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Tests.Sources.Airflow;

/// <summary>Which of its two APIs a server is asked by.</summary>
public sealed class AirflowConnectionTests
{
    [Theory]
    [InlineData("2.11.2", "v1")]
    [InlineData("2.9.0.dev0", "v1")]
    [InlineData("2.10.5+composer", "v1")]
    [InlineData("3.0.0", "v2")]
    [InlineData("3.3.2", "v2")]
    [InlineData("4.0.0rc1", "v2")]
    [InlineData("main", "v2")]
    public async Task The_versions_number_decides_also_where_both_questions_are_answered(string version, string api)
    {
        await using var server = await FakeAirflow.StartAsync(_ => (200, $$"""{"version":"{{version}}","dag_runs":[],"total_entries":0}"""));
        using var connection = server.Connect();

        await (await connection.ApiAsync(default)).LiveRunsAsync(default);

        Assert.StartsWith($"GET /api/{api}/dags/~/dagRuns?", server.Requests.Last());
    }

    [Fact]
    public async Task A_version_that_is_no_number_is_judged_by_the_question_that_it_answered()
    {
        await using var server = await FakeAirflow.StartAsync(context =>
            (context.Request.Path.StartsWithSegments("/api/v2", StringComparison.Ordinal) ? 404 : 200, """{"version":"main","dag_runs":[],"total_entries":0}"""));
        using var connection = server.Connect();

        await (await connection.ApiAsync(default)).LiveRunsAsync(default);

        Assert.StartsWith("GET /api/v1/dags/~/dagRuns?", server.Requests.Last());
    }

    [Fact]
    public async Task An_upgrade_from_2_to_3_is_noticed()
    {
        var version = "2.11.2";
        await using var server = await FakeAirflow.StartAsync(context =>
            (context.Request.Path.StartsWithSegments(version[0] == '2' ? "/api/v1" : "/api/v2", StringComparison.Ordinal) ? 200 : 404, $$"""{"version":"{{version}}"}"""));
        using var connection = server.Connect();
        Assert.IsType<AirflowV1>(await connection.DiscoverAsync(default));

        version = "3.3.2";

        Assert.IsType<AirflowV2>(await connection.DiscoverAsync(default));
    }
}
