using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using PipelineExporter.Sources.Airflow;

namespace PipelineExporter.Tests.Sources.Airflow;

/// <summary>An Airflow that is unreachable, slow, lying or unwilling: what is said of it, and that no secret is.</summary>
public sealed class AirflowErrorsTests
{
    private const string Password = "p4ssw0rd-of-the-exporter";

    private static readonly AirflowCredential Basic = new AirflowCredential.Basic("exporter", () => Password);

    private static readonly AirflowCredential Bearer = new AirflowCredential.Bearer(() => Password);

    private static readonly AirflowCredential Login = new AirflowCredential.Login("exporter", () => Password);

    [Fact]
    public async Task An_unreachable_server_is_named_as_such()
    {
        using var socket = new TcpListener(IPAddress.Loopback, 0);
        socket.Start();
        var port = ((IPEndPoint)socket.LocalEndpoint).Port;
        socket.Stop();
        var time = new FakeTimeProvider();
        using var connection = new AirflowConnection(
            new AirflowEndpoint("production", new Uri($"http://127.0.0.1:{port}"), Basic), time, _ => { });

        var error = await FailAsync(Driven(time, connection.ApiAsync(default)));

        Assert.Matches(@"^GET /api/v2/version: cannot connect to 127\.0\.0\.1:\d+ \(", error.Message);
        Assert.Null(error.Status);
    }

    [Fact]
    public async Task A_server_that_does_not_answer_in_time_is_given_up()
    {
        await using var server = await FakeAirflow.StartAsync(context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        using var connection = server.Connect(Basic, timeout: TimeSpan.FromSeconds(7), time: server.Time);

        var error = await FailAsync(Driven(server.Time, connection.ApiAsync(default)));

        Assert.Equal("GET /api/v2/version: no answer within 7 s", error.Message);
        Assert.Equal(["timeout"], server.Outcomes);
    }

    [Fact]
    public async Task A_body_that_stops_coming_is_given_up_too()
    {
        await using var server = await FakeAirflow.StartAsync(async context =>
        {
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync("""{"version":""");
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        using var connection = server.Connect(Basic, timeout: TimeSpan.FromSeconds(7), time: server.Time);

        var error = await FailAsync(Driven(server.Time, connection.ApiAsync(default)));

        Assert.Equal("GET /api/v2/version: no answer within 7 s", error.Message);
    }

    [Fact]
    public async Task A_caller_that_gives_up_is_not_told_of_an_error()
    {
        await using var server = await FakeAirflow.StartAsync(context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        using var connection = server.Connect(Basic);
        using var caller = new CancellationTokenSource();
        var asking = connection.ApiAsync(caller.Token);
        await caller.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
    }

    [Fact]
    public async Task A_connection_that_is_cut_is_named_as_such()
    {
        await using var server = await FakeAirflow.StartAsync(async context =>
        {
            context.Response.ContentLength = 1000;
            await context.Response.WriteAsync("{");
            await context.Response.Body.FlushAsync();
            context.Abort();
        });
        using var connection = server.Connect(Basic);

        var error = await FailAsync(connection.ApiAsync(default));

        Assert.Contains("connection", error.Message);
        Assert.DoesNotContain("HttpRequestException", error.Message);
    }

    [Theory]
    [InlineData("""{"dag_runs":[{"dag_id":"d","dag_run_id":"r","state":"succ""")]
    [InlineData("<html><body>Please log in: p4ssw0rd-of-the-exporter</body></html>")]
    [InlineData("""{"dag_runs":[{"dag_id":"d","dag_run_id":"r","start_date":"p4ssw0rd-of-the-exporter"}],"total_entries":1}""")]
    [InlineData("""{"dag_runs":[{"dag_id":"d","dag_run_id":7}],"total_entries":1}""")]
    [InlineData("""{"dag_runs":[{"dag_run_id":"a run of no DAG"}],"total_entries":1}""")]
    [InlineData("""{"dag_runs":[{"dag_id":null,"dag_run_id":"r"}],"total_entries":1}""")]
    [InlineData("""{"dag_runs":"p4ssw0rd-of-the-exporter","total_entries":"many"}""")]
    [InlineData("""{"total_entries":0}""")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("")]
    public async Task An_answer_that_is_not_Airflows_is_refused_without_repeating_it(string body)
    {
        await using var server = await FakeAirflow.StartAsync(context => (200, IsVersion(context) ? """{"version":"3.3.2"}""" : body));
        using var connection = server.Connect(Basic);
        var api = await connection.ApiAsync(default);

        var error = await FailAsync(api.LiveRunsAsync(default));

        Assert.StartsWith("GET /api/v2/dags/~/dagRuns: the answer ", error.Message);
        Assert.EndsWith("Is the url right, and does no proxy or log-in page answer in Airflow's place?", error.Message);
        Assert.Equal(HttpStatusCode.OK, error.Status);
    }

    [Fact]
    public async Task A_field_that_is_missing_or_new_is_no_error()
    {
        await using var server = await FakeAirflow.StartAsync(context => (200, IsVersion(context)
            ? """{"version":"3.3.2"}"""
            : """{"dag_runs":[{"dag_id":"d","dag_run_id":"r","state":"paused_by_tomorrow","mood":{"good":true}}],"total_entries":1}"""));
        using var connection = server.Connect(Basic);

        var runs = await (await connection.ApiAsync(default)).LiveRunsAsync(default);

        Assert.Equal(new DagRun { DagId = "d", RunId = "r", State = "paused_by_tomorrow" }, Assert.Single(runs.Rows));
    }

    [Fact]
    public async Task A_page_of_an_internal_error_is_not_repeated_and_not_asked_for_twice()
    {
        await using var server = await FakeAirflow.StartAsync(context => IsVersion(context)
            ? FakeAirflow.WriteAsync(context, 200, "application/json", """{"version":"3.3.2"}""")
            : FakeAirflow.WriteAsync(context, 500, "text/html", $"<html>Ooops! {Password}</html>"));
        using var connection = server.Connect(Basic);

        var error = await FailAsync((await connection.ApiAsync(default)).LiveRunsAsync(default));

        Assert.Equal("GET /api/v2/dags/~/dagRuns: answered 500", error.Message);
        Assert.Equal(["ok", "error"], server.Outcomes);
    }

    [Fact]
    public async Task An_overloaded_server_is_asked_once_more()
    {
        var answers = new Queue<int>([429, 200]);
        await using var server = await FakeAirflow.StartAsync(_ => (answers.Dequeue(), """{"version":"3.3.2"}"""));
        using var connection = server.Connect(Basic, time: server.Time);

        var api = await Driven(server.Time, connection.ApiAsync(default));

        Assert.Equal("3.3.2", api.Version);
        Assert.Equal(["throttled", "ok"], server.Outcomes);
    }

    [Fact]
    public async Task A_reason_is_cut_to_one_short_line()
    {
        var detail = $"first line {new string('x', 400)}\\nsecond line";
        await using var server = await FakeAirflow.StartAsync(_ => (400, $$"""{"detail":"{{detail}}"}"""));
        using var connection = server.Connect(Basic);

        var error = await FailAsync(connection.ApiAsync(default));

        Assert.InRange(error.Message.Length, 200, 260);
        Assert.EndsWith("x…)", error.Message);
    }

    /// <remarks>2.x answers 403 both to a wrong password and to a missing permission: the reader is told how to tell.</remarks>
    [Theory]
    [InlineData("2.11.2", 403, "To tell: log in to Airflow's pages as exporter; if that fails, it is the password")]
    [InlineData("2.11.2", 403, "the role lacks \"can read on\" DAGs and DAG Runs")]
    [InlineData("2.11.2", 401, "or the server does not accept basic auth (Airflow 3 wants `token`)")]
    public async Task A_refusal_of_basic_auth_says_what_it_can_be(string version, int status, string hint)
    {
        await using var server = await FakeAirflow.StartAsync(context => context.Request.Path.Value switch
        {
            "/api/v2/version" => (404, ""),
            "/api/v1/version" => (200, $$"""{"version":"{{version}}"}"""),
            _ => (status, """{"detail":null,"title":"Forbidden"}"""),
        });
        using var connection = server.Connect(Basic);

        var error = await FailAsync((await connection.ApiAsync(default)).LiveRunsAsync(default));

        Assert.StartsWith($"GET /api/v1/dags/~/dagRuns: answered {status} (Forbidden)", error.Message);
        Assert.Contains(hint, error.Message);
    }

    /// <remarks>2.x answers health and version to anybody: these tell nothing of the password.</remarks>
    [Theory]
    [InlineData(4, "the password is right: the role lacks \"can read on Pools\"")]
    [InlineData(6, "To tell: log in to Airflow's pages as exporter")]
    [InlineData(null, "To tell: log in to Airflow's pages as exporter")]
    public async Task A_refusal_soon_after_a_good_answer_is_no_matter_of_the_password(int? minutesAfter, string hint)
    {
        await using var server = await FakeAirflow.StartAsync(context => context.Request.Path.Value switch
        {
            "/api/v2/version" => (404, ""),
            "/api/v1/version" => (200, """{"version":"2.11.2"}"""),
            "/api/v1/health" => (200, "{}"),
            "/api/v1/dags/~/dagRuns" => (200, """{"dag_runs":[],"total_entries":0}"""),
            _ => (403, """{"detail":null,"title":"Forbidden"}"""),
        });
        using var connection = server.Connect(Basic, time: server.Time);
        var api = await connection.ApiAsync(default);
        if (minutesAfter is { } minutes)
        {
            await api.LiveRunsAsync(default);
            server.Time.Advance(TimeSpan.FromMinutes(minutes));
        }
        await api.HealthAsync(default);

        var error = await FailAsync(api.PoolsAsync(default));

        Assert.StartsWith("GET /api/v1/pools: answered 403 (Forbidden)", error.Message);
        Assert.Contains(hint, error.Message);
    }

    [Fact]
    public async Task A_missing_permission_is_named_for_each_endpoint()
    {
        await using var server = await FakeAirflow.StartAsync(context => IsVersion(context)
            ? (200, """{"version":"3.3.2"}""")
            : (403, """{"detail":"Forbidden"}"""));
        using var connection = server.Connect(Bearer);
        var api = await connection.ApiAsync(default);

        Assert.EndsWith("lacks \"can read on Pools\"", (await FailAsync(api.PoolsAsync(default))).Message);
        Assert.EndsWith("lacks \"can read on DAGs\"", (await FailAsync(api.DagsAsync(default))).Message);
        Assert.EndsWith("lacks \"can read on\" DAGs and DAG Runs", (await FailAsync(api.LiveRunsAsync(default))).Message);
        Assert.EndsWith("lacks \"can read on\" DAGs, DAG Runs and Task Instances", (await FailAsync(api.LiveTaskInstancesAsync(default))).Message);
    }

    [Fact]
    public async Task A_redirect_is_not_followed()
    {
        await using var server = await FakeAirflow.StartAsync(context =>
        {
            context.Response.Redirect("https://elsewhere.example.com/login");
            return Task.CompletedTask;
        });
        using var connection = server.Connect(Basic);

        var error = await FailAsync(connection.ApiAsync(default));

        Assert.Equal("GET /api/v2/version: answered 302. The url redirects; put in the configuration where Airflow itself is", error.Message);
    }

    [Fact]
    public async Task A_server_that_is_no_Airflow_is_named_as_such()
    {
        await using var server = await FakeAirflow.StartAsync(_ => (404, "not here"));
        using var connection = server.Connect(Basic);

        var error = await FailAsync(connection.ApiAsync(default));

        Assert.StartsWith("GET /api/v2/version and /api/v1/version: both answered 404. Is the url that of Airflow's web server", error.Message);
    }

    [Theory]
    [InlineData(401, "The user name or the password is wrong")]
    [InlineData(404, "Airflow 2 knows no tokens: use `basic`")]
    [InlineData(422, "A user name or a password is missing")]
    public async Task A_refused_log_in_says_why_and_never_what_was_sent(int status, string hint)
    {
        await using var server = await FakeAirflow.StartAsync(async context =>
        {
            if (IsVersion(context))
            {
                await FakeAirflow.WriteAsync(context, 200, "application/json", """{"version":"3.3.2"}""");
                return;
            }

            // The FAB auth manager of 3.3 echoes the body of a log-in that it cannot read.
            using var reader = new StreamReader(context.Request.Body);
            var sent = await reader.ReadToEndAsync();
            Assert.Contains(Password, sent);
            await FakeAirflow.WriteAsync(context, status, "application/json", $$"""{"detail":"{{sent.Replace("\"", "'")}}"}""");
        });
        using var connection = server.Connect(Login);

        var error = await FailAsync((await connection.ApiAsync(default)).LiveRunsAsync(default));

        Assert.StartsWith($"POST /auth/token: the log-in was answered {status}. {hint}", error.Message);
    }

    [Fact]
    public async Task A_secret_that_cannot_be_read_is_no_error_of_the_server()
    {
        await using var server = await FakeAirflow.StartAsync(_ => (200, """{"version":"3.3.2"}"""));
        using var connection = server.Connect(new AirflowCredential.Bearer(() => throw new InvalidOperationException("token_file is not there")));

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => connection.ApiAsync(default));

        Assert.Equal("token_file is not there", error.Message);
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData("<html>p4ssw0rd-of-the-exporter</html>")]
    [InlineData("""{"access_token":{"p4ssw0rd-of-the-exporter":1}}""")]
    [InlineData("""{"access_token":"a.!p4ssw0rd-of-the-exporter!.c"}""")]
    [InlineData("{}")]
    public async Task A_log_in_that_brings_no_token_is_refused_without_repeating_it(string body)
    {
        await using var server = await FakeAirflow.StartAsync(context => (201, IsVersion(context) ? """{"version":"3.3.2"}""" : body));
        using var connection = server.Connect(Login);

        var error = await FailAsync((await connection.ApiAsync(default)).LiveRunsAsync(default));

        Assert.StartsWith("POST /auth/token: the log-in's answer holds no token that can be read", error.Message);
    }

    private static bool IsVersion(HttpContext context) => context.Request.Path.Value!.EndsWith("/version", StringComparison.Ordinal);

    /// <summary>Fails as expected, and with no secret anywhere in the error.</summary>
    private static async Task<AirflowException> FailAsync(Task asking)
    {
        var error = await Assert.ThrowsAsync<AirflowException>(() => asking);
        Assert.Equal("production", error.Environment);
        for (Exception? e = error; e is not null; e = e.InnerException)
            Assert.DoesNotContain(Password, e.ToString());
        Assert.DoesNotContain(Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes($"exporter:{Password}")), error.ToString());
        Assert.DoesNotContain('\n', error.Message);
        return error;
    }

    /// <summary>Lets time pass until the task is done.</summary>
    private static async Task<T> Driven<T>(FakeTimeProvider time, Task<T> task)
    {
        while (!task.IsCompleted)
        {
            await Task.WhenAny(task, Task.Delay(20));
            time.Advance(TimeSpan.FromSeconds(1));
        }
        return await task;
    }
}
