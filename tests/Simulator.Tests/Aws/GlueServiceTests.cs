using System.Text.Json.Nodes;
using PipelineExporter.Simulator.Aws;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class GlueServiceTests
{
    const string Validation = "music_streaming_validation";

    static readonly AwsService Glue = new GlueService(ServiceCall.Accounts).Describe();

    [Fact]
    public void GetJobs_and_ListJobs_name_the_jobs()
    {
        string[] expected =
        [
            "music_streaming_catalog_export", "music_streaming_dynamodb_load", "music_streaming_events_stream", "music_streaming_kpi_computation",
            "music_streaming_royalty_backfill", Validation,
        ];

        Assert.Equal(expected, ServiceCall.Json(Glue, "GetJobs", "{}")["Jobs"]!.AsArray().Select(job => (string)job!["Name"]!));
        Assert.Equal(expected, ServiceCall.Json(Glue, "ListJobs", "{}")["JobNames"]!.AsArray().Select(name => (string)name!));
    }

    [Theory]
    [InlineData("GetJobs", "Jobs")]
    [InlineData("ListJobs", "JobNames")]
    public void Jobs_come_in_pages(string operation, string member)
    {
        var first = ServiceCall.Json(Glue, operation, """{"MaxResults": 5}""");
        var second = ServiceCall.Json(Glue, operation, $$"""{"MaxResults": 5, "NextToken": "{{first["NextToken"]}}"}""");

        Assert.Equal(5, first[member]!.AsArray().Count);
        Assert.Single(second[member]!.AsArray());
        Assert.Null(second["NextToken"]);
    }

    [Fact]
    public void ListJobs_finds_no_job_by_tag() =>
        Assert.Empty(ServiceCall.Json(Glue, "ListJobs", """{"Tags": {"team": "data"}}""")["JobNames"]!.AsArray());

    [Fact]
    public void Another_region_has_no_jobs()
    {
        Assert.Empty(ServiceCall.Json(Glue, "GetJobs", "{}", region: "us-east-1")["Jobs"]!.AsArray());
        Assert.Throws<AwsException>(() => ServiceCall.Json(Glue, "GetJobRuns", $$"""{"JobName": "{{Validation}}"}""", region: "us-east-1"));
    }

    [Fact]
    public void Runs_come_newest_first_in_pages_of_200_until_90_days_ago()
    {
        var runs = AllRuns(ServiceCall.Now, maxResults: null, out var pages);

        var model = ServiceCall.Model.GlueJobRuns(Validation, ServiceCall.Now.AddDays(-90), ServiceCall.Now)
            .Where(run => run.StartedOn >= ServiceCall.Now.AddDays(-90))
            .Select(run => run.Id);
        Assert.Equal(model, runs.Select(run => (string)run["Id"]!));
        var starts = runs.Select(run => (double)run["StartedOn"]!).ToList();
        Assert.Equal(starts.OrderDescending(), starts);
        Assert.All(pages[..^1], size => Assert.Equal(200, size));
        Assert.InRange(pages[^1], 1, 200);
        Assert.True(pages.Count > 10, $"{pages.Count} pages");
    }

    [Fact]
    public void A_run_that_starts_between_two_pages_shifts_nothing()
    {
        var before = Runs(ServiceCall.Now, """, "MaxResults": 3""");
        var undisturbed = Runs(ServiceCall.Now, $""", "MaxResults": 3, "NextToken": "{before["NextToken"]}" """);
        var later = Runs(ServiceCall.Now.AddMinutes(25), $""", "MaxResults": 3, "NextToken": "{before["NextToken"]}" """);

        Assert.NotEqual(
            Ids(before), Ids(Runs(ServiceCall.Now.AddMinutes(25), """, "MaxResults": 3""")));
        Assert.Equal(Ids(undisturbed), Ids(later));
    }

    [Fact]
    public void A_live_run_has_no_end_and_grows()
    {
        var run = ServiceCall.Model.GlueJobRuns(Validation, ServiceCall.Now.AddDays(-1), ServiceCall.Now).First(run => run.CompletedOn < ServiceCall.Now);

        JsonNode At(DateTimeOffset now) => Runs(now, "")["JobRuns"]!.AsArray().Single(shape => (string)shape!["Id"]! == run.Id)!;

        var starting = At(run.StartedOn);
        Assert.Equal("STARTING", (string)starting["JobRunState"]!);
        Assert.Equal(0, (int)starting["ExecutionTime"]!);
        var running = At(run.CompletedOn.AddTicks(-1));
        Assert.Equal("RUNNING", (string)running["JobRunState"]!);
        Assert.InRange((int)running["ExecutionTime"]!, 1, 3600);
        Assert.Null(running["CompletedOn"]);
        Assert.Null(running["ErrorMessage"]);
        var completed = At(run.CompletedOn);
        Assert.Equal(run.FinalState.ToString(), (string)completed["JobRunState"]!);
        Assert.Equal(run.CompletedOn.ToUnixTimeMilliseconds() / 1000.0, (double)completed["CompletedOn"]!);
    }

    [Fact]
    public void A_run_is_not_there_before_it_started()
    {
        var run = ServiceCall.Model.GlueJobRuns(Validation, ServiceCall.Now.AddDays(-1), ServiceCall.Now).First();

        Assert.DoesNotContain(run.Id, Ids(Runs(run.StartedOn.AddTicks(-1), "")));
    }

    [Fact]
    public void Dpu_seconds_come_with_completed_flex_runs_alone()
    {
        JsonArray Of(string job) => ServiceCall.Json(Glue, "GetJobRuns", $$"""{"JobName": "{{job}}"}""")["JobRuns"]!.AsArray();

        Assert.All(Of(Validation), run => Assert.Null(run!["DPUSeconds"]));
        Assert.All(Of("music_streaming_dynamodb_load"), run => Assert.Equal(run!["CompletedOn"] is null, run["DPUSeconds"] is null));
        Assert.Contains(Of("music_streaming_dynamodb_load"), run => run!["DPUSeconds"] is not null);
    }

    [Fact]
    public void Jobs_and_runs_carry_a_secret_in_their_arguments()
    {
        Assert.Contains(GlueService.ArgumentSecret, ServiceCall.Json(Glue, "GetJobs", "{}")["Jobs"]![0]!["DefaultArguments"]!.ToJsonString(), StringComparison.Ordinal);
        Assert.Contains(GlueService.ArgumentSecret, Runs(ServiceCall.Now, "")["JobRuns"]![0]!["Arguments"]!.ToJsonString(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_job_is_not_found()
    {
        var refused = ServiceCall.Refused(Glue, "GetJobRuns", """{"JobName": "nobody"}""");

        Assert.Equal("EntityNotFoundException", refused.Code);
        Assert.Equal("Job with name: nobody not found.", refused.Text);
        Assert.Equal(400, refused.Status);
    }

    [Theory]
    [InlineData("GetJobRuns", """{}""", "Value null at 'jobName' failed to satisfy constraint: Member must not be null")]
    [InlineData("GetJobRuns", """{"JobName": ""}""", "Value '' at 'jobName' failed to satisfy constraint: Member must have length greater than or equal to 1")]
    [InlineData("GetJobRuns", """{"JobName": "music_streaming_validation", "MaxResults": 201}""", "Value '201' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 200")]
    [InlineData("GetJobRuns", """{"JobName": "music_streaming_validation", "MaxResults": 0}""", "Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1")]
    [InlineData("GetJobs", """{"MaxResults": 1001}""", "Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000")]
    [InlineData("ListJobs", """{"MaxResults": -1}""", "Value '-1' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1")]
    public void Parameters_out_of_range_are_refused(string operation, string input, string message)
    {
        var refused = ServiceCall.Refused(Glue, operation, input);

        Assert.Equal("ValidationException", refused.Code);
        Assert.Equal("1 validation error detected: " + message, refused.Text);
    }

    [Fact]
    public void A_job_name_is_at_most_255_long() =>
        Assert.Equal("ValidationException", ServiceCall.Refused(Glue, "GetJobRuns", $$"""{"JobName": "{{new string('x', 256)}}"}""").Code);

    [Theory]
    [InlineData("GetJobs", "not a token")]
    [InlineData("GetJobs", "cnVucwo")]
    [InlineData("GetJobRuns", "am9icwphCg")]
    [InlineData("GetJobRuns", "cnVucwp4Cng")]
    public void A_token_of_nobody_is_refused(string operation, string token)
    {
        var refused = ServiceCall.Refused(Glue, operation, $$"""{"JobName": "{{Validation}}", "NextToken": "{{token}}"}""");

        Assert.Equal("InvalidInputException", refused.Code);
    }

    [Theory]
    [InlineData("{", null)]
    [InlineData("null", null)]
    [InlineData("""{"JobName": 5}""", "The value at '$.JobName' has the wrong type")]
    public void Input_of_the_wrong_type_is_refused(string input, string? message)
    {
        var refused = ServiceCall.Refused(Glue, "GetJobRuns", input);

        Assert.Equal("SerializationException", refused.Code);
        Assert.Equal(message, refused.Text);
    }

    static List<JsonNode> AllRuns(DateTimeOffset now, int? maxResults, out List<int> pages)
    {
        List<JsonNode> runs = [];
        pages = [];
        for (var token = ""; ;)
        {
            var page = Runs(now, (maxResults is null ? "" : $", \"MaxResults\": {maxResults}") + token);
            pages.Add(page["JobRuns"]!.AsArray().Count);
            runs.AddRange(page["JobRuns"]!.AsArray().Select(run => run!));
            if (page["NextToken"] is not { } next)
                return runs;
            token = $", \"NextToken\": \"{next}\"";
        }
    }

    static JsonNode Runs(DateTimeOffset now, string rest) =>
        ServiceCall.Json(Glue, "GetJobRuns", $$"""{"JobName": "{{Validation}}"{{rest}}}""", now);

    static List<string> Ids(JsonNode page) => [.. page["JobRuns"]!.AsArray().Select(run => (string)run!["Id"]!)];
}
