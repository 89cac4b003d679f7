using System.Text;
using PipelineExporter.Simulator;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.BadInput;

/// <summary>Wrong and right credentials: what comes of them, and that nothing of them is ever shown, logged or stored.</summary>
public sealed class SecretsTests : IDisposable
{
    // Wrong ones, each to be told from the others.
    private const string WrongBasic = "wrong-basic-password-81";
    private const string WrongToken = "wrong-token-password-82";
    private const string WrongBearer = "wrong.bearer-token.83";
    private const string WrongAwsSecret = "wrong-aws-secret-84";
    private const string RightPassword = "simulator-password";
    private const string RightAwsSecret = "simulator-secret";

    private readonly TemporaryDirectory directory = new();

    public void Dispose() => directory.Dispose();

    [Fact]
    public async Task Refused_credentials_are_said_to_be_wrong_and_right_ones_work_without_a_restart()
    {
        await using var simulator = await StartSimulatorAsync();
        await WriteAsync("basic", WrongBasic);
        await WriteAsync("token", WrongToken);
        await WriteAsync("bearer", WrongBearer);
        await ConfigureAsync(simulator.Address);
        await using var exporter = await ExporterProcess.StartAsync(
            directory, Aws(WrongAwsSecret), "--log.level=debug");

        var page = await exporter.ScrapeAsync();
        // Health needs no log-in.
        string[] working = ["airflow_health of airflow/two", "airflow_health of airflow/three", "airflow_health of airflow/borne"];
        Assert.Equal(working.Order(), Collectors(page, success: 1).Order());
        // Of Airflow five each; Glue, CloudWatch and what CloudWatch lists.
        Assert.Equal(5 * 3 + 3, Collectors(page, success: 0).Count());
        Assert.Contains(exporter.Log, line => line.Contains("collector airflow_runs of airflow/two failed", StringComparison.Ordinal)
            && line.Contains("403", StringComparison.Ordinal) && line.Contains("wrong user name or password", StringComparison.Ordinal));
        Assert.Contains(exporter.Log, line => line.Contains("collector airflow_runs of airflow/three failed", StringComparison.Ordinal)
            && line.Contains("401", StringComparison.Ordinal) && line.Contains("password is wrong", StringComparison.Ordinal));
        Assert.Contains(exporter.Log, line => line.Contains("collector airflow_runs of airflow/borne failed", StringComparison.Ordinal)
            && line.Contains("The token is wrong or has expired", StringComparison.Ordinal));
        Assert.Contains(exporter.Log, line => line.Contains("collector glue_jobs of aws/eu-west-1 failed", StringComparison.Ordinal));
        await NothingIsToldAsync(exporter);

        await WriteAsync("basic", RightPassword);
        await WriteAsync("token", RightPassword);
        // DAGs are asked for every five minutes, whatever the interval of the rest.
        string[] cured = [.. ((string[])["health", "pools", "runs", "tasks"]).SelectMany(one => (string[])[$"airflow_{one} of airflow/two", $"airflow_{one} of airflow/three"])];
        await UntilAsync(exporter, now => cured.All(Collectors(now, success: 1).ToHashSet().Contains));
        foreach (var collector in (string[])["airflow_runs of airflow/two", "airflow_runs of airflow/three", "glue_jobs of aws/eu-west-1"])
            Assert.Single(exporter.Log, line => line.Contains($"collector {collector} failed", StringComparison.Ordinal));
        await NothingIsToldAsync(exporter);
    }

    [Fact]
    public async Task Nothing_of_a_payload_and_of_the_credentials_is_told_when_all_is_well()
    {
        await using var simulator = await StartSimulatorAsync();
        await WriteAsync("basic", RightPassword);
        await WriteAsync("token", RightPassword);
        await WriteAsync("bearer", await TokenAsync(simulator.Address));
        await ConfigureAsync(simulator.Address);
        await using var exporter = await ExporterProcess.StartAsync(directory, Aws(RightAwsSecret), "--log.level=debug");

        var page = await UntilAsync(exporter, now => !Collectors(now, success: 0).Any());

        // It did read what holds the secrets.
        Assert.NotEmpty(page.Of("airflow_dag_runs_total", ("environment", "borne")));
        Assert.NotEmpty(page.Of("aws_glue_job_runs_total"));
        await NothingIsToldAsync(exporter);
        Assert.Equal(0, await exporter.StopAsync());
        NothingIsStored();
    }

    [Fact]
    public async Task No_AWS_keys_at_all_are_one_short_line()
    {
        await using var simulator = await StartSimulatorAsync();
        await File.WriteAllTextAsync(directory.File("exporter.yml"), $$"""
            aws: [{ region: eu-west-1, account_id: "123456789012", endpoint_url: "{{simulator.Address}}", glue: {} }]
            """);
        await using var exporter = await ExporterProcess.StartAsync(directory, new Dictionary<string, string?>
        {
            ["AWS_ACCESS_KEY_ID"] = null,
            ["AWS_SECRET_ACCESS_KEY"] = null,
            ["AWS_PROFILE"] = null,
            ["AWS_SHARED_CREDENTIALS_FILE"] = directory.File("none"),
            ["AWS_CONFIG_FILE"] = directory.File("none"),
            ["AWS_EC2_METADATA_DISABLED"] = "true",
        });

        var failed = Assert.Single(exporter.Log, line => line.Contains("collector glue_jobs of aws/eu-west-1 failed", StringComparison.Ordinal));

        Assert.Contains("no usable AWS credentials. Looked where every AWS SDK looks", failed, StringComparison.Ordinal);
        Assert.InRange(failed.Length, 100, 400);
        Assert.DoesNotContain("\\n", failed, StringComparison.Ordinal);
    }

    private static Task<SimulatorHost> StartSimulatorAsync() => SimulatorHost.StartAsync(
        new() { ListenAddress = "127.0.0.1:0", SmtpListenAddress = null }, TestContext.Current.CancellationToken);

    private static IEnumerable<string> Collectors(MetricsPage page, double success) => page.Of("pipeline_exporter_collector_success")
        .Where(sample => sample.Value == success).Select(sample => $"{sample.Labels["collector"]} of {sample.Labels["source"]}");

    private static Dictionary<string, string?> Aws(string secret) => new() { ["AWS_ACCESS_KEY_ID"] = "SIMULATOR", ["AWS_SECRET_ACCESS_KEY"] = secret };

    // As anybody gets one, who has the password.
    private static async Task<string> TokenAsync(Uri simulator)
    {
        using var http = new HttpClient();
        using var answer = await http.PostAsync(
            new Uri(simulator, "airflow3/auth/token"), new StringContent($$"""{"username": "exporter", "password": "{{RightPassword}}"}""", Encoding.UTF8, "application/json"));
        answer.EnsureSuccessStatusCode();
        using var json = System.Text.Json.JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return json.RootElement.GetProperty("access_token").GetString()!;
    }

    private static async Task<MetricsPage> UntilAsync(ExporterProcess exporter, Func<MetricsPage, bool> isEnough)
    {
        var patience = TimeSpan.FromSeconds(60);
        var started = TimeProvider.System.GetUtcNow();
        while (true)
        {
            var page = await exporter.ScrapeAsync();
            if (isEnough(page))
                return page;
            if (page.At - started > patience)
                Assert.Fail($"Not within {patience}:\n{string.Join('\n', exporter.Log.Where(line => line.Contains("component=collector", StringComparison.Ordinal)))}");
            await Task.Delay(TimeSpan.FromMilliseconds(250));
        }
    }

    private Task WriteAsync(string file, string secret) => File.WriteAllTextAsync(directory.File(file), secret + "\n");

    private Task ConfigureAsync(Uri simulator) => File.WriteAllTextAsync(directory.File("exporter.yml"), $$"""
        airflow:
          - environment: two
            url: {{simulator}}airflow2
            poll_interval: 1s
            auth: { basic: { username: exporter, password_file: basic } }
          - environment: three
            url: {{simulator}}airflow3
            poll_interval: 1s
            auth: { token: { username: exporter, password_file: token } }
          - environment: borne
            url: {{simulator}}airflow3
            poll_interval: 1s
            auth: { bearer: { token_file: bearer } }
        aws:
          - region: eu-west-1
            endpoint_url: {{simulator}}
            poll_interval: 1s
            glue: {}
        state: { zero_hold: 1s }
        """);

    private async Task NothingIsToldAsync(ExporterProcess exporter)
    {
        NothingIn("the log", string.Join('\n', exporter.Log));
        foreach (var path in (string[])["metrics", "", "-/ready"])
            NothingIn($"/{path}", await exporter.PageAsync(path));
        NothingIsStored();
    }

    private void NothingIsStored()
    {
        var files = Directory.GetFiles(directory.File("state"), "state.db*");
        Assert.NotEmpty(files);
        foreach (var file in files)
        {
            // SQLite keeps the file open; reading beside it is allowed.
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            NothingIn(file, reader.ReadToEnd());
        }
    }

    private void NothingIn(string place, string text)
    {
        string[] secrets =
        [
            WrongBasic, WrongToken, WrongBearer, WrongAwsSecret, RightPassword, RightAwsSecret, "payload-secret", "simulator-glue-argument-secret",
            Base64($"exporter:{WrongBasic}"), Base64($"exporter:{RightPassword}"), File.ReadAllText(directory.File("bearer")).Trim(),
            "eyJ", // how every JWT begins
        ];
        foreach (var secret in secrets)
            Assert.False(text.Contains(secret, StringComparison.Ordinal), $"{secret} is in {place}");
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
