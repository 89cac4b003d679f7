using System.Globalization;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>Glue's jobs and their runs.</summary>
internal sealed class GlueService(AwsAccounts accounts)
{
    /// <summary>Stands in the arguments of jobs and runs: what must never leave the exporter.</summary>
    public const string ArgumentSecret = "simulator-glue-argument-secret";

    const int MaxJobsPage = 1000;
    const int MaxRunsPage = 200;

    /// <summary>Pages of jobs hold this many unless the caller says otherwise; runs come in full pages.</summary>
    const int DefaultJobsPage = 100;

    static readonly TimeSpan Retention = TimeSpan.FromDays(90);
    static readonly DateTimeOffset Created = new(2026, 1, 12, 9, 30, 0, TimeSpan.Zero);

    public AwsService Describe() => new AwsService { Name = "glue", SigningName = "glue", TargetPrefix = "AWSGlue" }
        .Json("GetJobs", GlueJson.Default.GetJobsRequest, GlueJson.Default.GetJobsResponse, GetJobs)
        .Json("ListJobs", GlueJson.Default.ListJobsRequest, GlueJson.Default.ListJobsResponse, ListJobs)
        .Json("GetJobRuns", GlueJson.Default.GetJobRunsRequest, GlueJson.Default.GetJobRunsResponse, GetJobRuns);

    GetJobsResponse GetJobs(GetJobsRequest request, AwsCall call)
    {
        var (jobs, next) = JobsPage(request.NextToken, request.MaxResults, call);
        return new GetJobsResponse([.. jobs.Select(Shape)], next);
    }

    ListJobsResponse ListJobs(ListJobsRequest request, AwsCall call)
    {
        var (jobs, next) = JobsPage(request.NextToken, request.MaxResults, call);
        var untagged = request.Tags is not { Count: > 0 };
        return new ListJobsResponse([.. jobs.Where(_ => untagged).Select(job => job.Name)], next);
    }

    (List<GlueJob> Jobs, string? Next) JobsPage(string? nextToken, int? maxResults, AwsCall call)
    {
        var size = PageSize(maxResults, MaxJobsPage) ?? DefaultJobsPage;
        var after = nextToken is null ? "" : PageToken.Read(nextToken, "jobs") is [var name] ? name : throw InvalidToken();
        var page = (accounts.In(call)?.GlueJobs ?? [])
            .Where(job => string.CompareOrdinal(job.Name, after) > 0)
            .OrderBy(job => job.Name)
            .Take(size + 1)
            .ToList();
        return page.Count <= size ? (page, null) : (page[..size], PageToken.Write("jobs", page[size - 1].Name));
    }

    GetJobRunsResponse GetJobRuns(GetJobRunsRequest request, AwsCall call)
    {
        var name = request.JobName switch
        {
            null => throw Invalid(null, "jobName", "Member must not be null"),
            { Length: 0 } => throw Invalid("", "jobName", "Member must have length greater than or equal to 1"),
            { Length: > 255 } tooLong => throw Invalid(tooLong, "jobName", "Member must have length less than or equal to 255"),
            var valid => valid,
        };
        var size = PageSize(request.MaxResults, MaxRunsPage) ?? MaxRunsPage;
        if (accounts.In(call) is not { } account || !account.GlueJobs.Any(job => job.Name == name))
            throw new AwsException("EntityNotFoundException", $"Job with name: {name} not found.");

        var page = Remaining(account.Model, name, request.NextToken, call.Now).Take(size + 1).ToList();
        var next = page.Count <= size ? null : PageToken.Write(
            "runs", page[size - 1].StartedOn.UtcTicks.ToString(CultureInfo.InvariantCulture), page[size - 1].Id);
        return new GetJobRunsResponse([.. page.Take(size).Select(run => Shape(run, call.Now))], next);
    }

    /// <summary>Newest first. A token names the last run of the page before, so that a run that starts in between shifts nothing.</summary>
    static IEnumerable<GlueJobRun> Remaining(PipelineModel model, string jobName, string? nextToken, DateTimeOffset now)
    {
        var oldest = now - Retention;
        var to = now.AddTicks(1);
        if (nextToken is null)
            return Started(to);
        if (PageToken.Read(nextToken, "runs") is not [var ticks, var id]
            || !long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var last)
            || last < oldest.UtcTicks || last >= to.UtcTicks)
            throw InvalidToken();
        return Started(new DateTimeOffset(last, TimeSpan.Zero).AddTicks(1)).SkipWhile(run => run.Id != id).Skip(1);

        IEnumerable<GlueJobRun> Started(DateTimeOffset before) =>
            from day in Days.Backwards(oldest, before)
            from run in model.GlueJobRuns(jobName, day.From, day.To, now)
            where run.StartedOn >= day.From && run.StartedOn < day.To
            select run;
    }

    static int? PageSize(int? maxResults, int max) => maxResults switch
    {
        < 1 => throw Invalid(maxResults, "maxResults", "Member must have value greater than or equal to 1"),
        { } tooMany when tooMany > max => throw Invalid(maxResults, "maxResults", $"Member must have value less than or equal to {max}"),
        _ => maxResults,
    };

    static AwsException Invalid(object? value, string member, string constraint) =>
        AwsException.Constraint("ValidationException", value, member, constraint);

    static AwsException InvalidToken() => new("InvalidInputException", "The NextToken is not valid.");

    static JobShape Shape(GlueJob job) => new()
    {
        Name = job.Name,
        JobMode = "SCRIPT",
        Description = "A step of the music streaming pipeline",
        Role = $"arn:aws:iam::{AwsCredentials.AccountId}:role/music-streaming-glue",
        CreatedOn = Created,
        LastModifiedOn = Created.AddDays(40),
        ExecutionProperty = new JobExecutionProperty(MaxConcurrentRuns: 3),
        Command = new JobCommand(job.Command, $"s3://music-streaming-scripts/{job.Name}.py", "3"),
        DefaultArguments = Arguments(job, enableMetrics: job.HasMetrics),
        MaxRetries = job.MaxRetries,
        Timeout = Timeout(job),
        AllocatedCapacity = (int)Capacity(job),
        MaxCapacity = Capacity(job),
        WorkerType = job.WorkerType,
        NumberOfWorkers = job.NumberOfWorkers,
        GlueVersion = job.GlueVersion,
        ExecutionClass = job.ExecutionClass,
    };

    static JobRunShape Shape(GlueJobRun run, DateTimeOffset now) => new()
    {
        Id = run.Id,
        Attempt = run.Attempt,
        PreviousRunId = run.PreviousRunId,
        JobName = run.Job.Name,
        JobMode = "SCRIPT",
        StartedOn = run.StartedOn,
        LastModifiedOn = run.LastModifiedOnAt(now),
        CompletedOn = run.CompletedOnAt(now),
        JobRunState = run.StateAt(now).ToString(),
        Arguments = Arguments(run.Job, enableMetrics: false),
        ErrorMessage = run.CompletedOnAt(now) is null ? null : run.ErrorMessage,
        PredecessorRuns = [],
        AllocatedCapacity = (int)Capacity(run.Job),
        ExecutionTime = run.ExecutionTimeAt(now),
        Timeout = Timeout(run.Job),
        MaxCapacity = Capacity(run.Job),
        WorkerType = run.Job.WorkerType,
        NumberOfWorkers = run.Job.NumberOfWorkers,
        LogGroupName = "/aws-glue/jobs",
        GlueVersion = run.Job.GlueVersion,
        DpuSeconds = run.Job.ExecutionClass == "FLEX" ? run.DpuSecondsAt(now) : null,
        ExecutionClass = run.Job.ExecutionClass,
    };

    /// <summary>Minutes. A streaming job has none, unless somebody gives it one.</summary>
    static int? Timeout(GlueJob job) => job.Command == "gluestreaming" ? null : 120;

    static double Capacity(GlueJob job) => job.NumberOfWorkers * job.DpuPerWorker;

    static Dictionary<string, string> Arguments(GlueJob job, bool enableMetrics)
    {
        Dictionary<string, string> arguments = new()
        {
            ["--job-language"] = "python",
            ["--source"] = $"s3://music-streaming-raw/{job.Name}/",
            ["--database-password"] = ArgumentSecret,
        };
        if (enableMetrics)
            arguments["--enable-metrics"] = "true";
        return arguments;
    }
}
