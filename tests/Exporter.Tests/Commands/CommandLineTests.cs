using PipelineExporter.Commands;

namespace PipelineExporter.Tests.Commands;

/// <summary>In this process, where nothing starts; <see cref="ProgramTests"/> starts the real one.</summary>
public sealed class CommandLineTests
{
    private readonly StringWriter output = new();
    private readonly StringWriter error = new();

    [Theory]
    [InlineData("--confg.file=x", "unknown flag '--confg.file'; did you mean '--config.file'?")]
    [InlineData("run --web.listen-adress :9894", "unknown flag '--web.listen-adress'; did you mean '--web.listen-address'?")]
    [InlineData("check-config --storage.path=x", "unknown flag '--storage.path'")]
    [InlineData("--simulator.listen-address=:1", "unknown flag '--simulator.listen-address'")]
    [InlineData("rnu", "unknown command 'rnu'; did you mean 'run'?")]
    [InlineData("chekc-config", "unknown command 'chekc-config'; did you mean 'check-config'?")]
    [InlineData("stop", "unknown command 'stop': there are run, demo, check-config")]
    [InlineData("run now", "unexpected argument 'now'")]
    [InlineData("--config.file=a run", "unexpected argument 'run'")]
    [InlineData("--config.file", "Required argument missing for option: '--config.file'")]
    [InlineData("--config.file=", "Required argument missing for option: '--config.file'")]
    [InlineData("--config.file=a --config.file=b", "Option '--config.file' expects a single argument but 2 were provided")]
    [InlineData("--log.level=loud", "--log.level: expected debug, info, warn or error, found 'loud'")]
    [InlineData("--log.format xml", "--log.format: expected logfmt or json, found 'xml'")]
    [InlineData("--web.telemetry-path=metrics", "--web.telemetry-path: expected a path such as /metrics, and none of the exporter's own: /, /-/…, /runbooks/…, found 'metrics'")]
    [InlineData("--web.telemetry-path=/", "--web.telemetry-path: expected a path such as /metrics, and none of the exporter's own: /, /-/…, /runbooks/…, found '/'")]
    [InlineData("--web.telemetry-path=/-/ready", "--web.telemetry-path: expected a path such as /metrics, and none of the exporter's own: /, /-/…, /runbooks/…, found '/-/ready'")]
    [InlineData("demo --simulator.listen-address=9895", "--simulator.listen-address: expected an address such as :9894, 127.0.0.1:9894 or [::1]:9894, with a port from 0 to 65535, found '9895'")]
    public async Task A_wrong_command_line_is_one_line_and_exit_code_2(string line, string expected)
    {
        Assert.Equal(2, await InvokeAsync(line));
        Assert.Equal($"pipeline-exporter: {expected}\n", error.ToString());
        Assert.Empty(output.ToString());
    }

    [Theory]
    [InlineData("--version")]
    [InlineData("run --version")]
    public async Task The_version_is_one_line(string line)
    {
        Assert.Equal(0, await InvokeAsync(line));
        Assert.Matches(@"^pipeline-exporter [0-9]+\.[0-9]+\.[0-9]+\n$", output.ToString());
    }

    [Fact]
    public async Task Help_shows_each_flag_with_its_default()
    {
        Assert.Equal(0, await InvokeAsync("demo --help"));
        foreach (var flag in (string[])["--web.listen-address", "--web.telemetry-path", "--storage.path", "--log.level", "--log.format", "--simulator.listen-address", "--simulator.smtp-listen-address"])
            Assert.Contains(flag, output.ToString(), StringComparison.Ordinal);
        foreach (var fallback in (string[])["127.0.0.1:9894", "127.0.0.1:9895", "/metrics", "info", "logfmt"])
            Assert.Contains($"[default: {fallback}]", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Help_of_the_program_lists_its_commands()
    {
        Assert.Equal(0, await InvokeAsync("-h"));
        Assert.Contains("check-config", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("Without a command: run", output.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("check-config --config.file={0}")]
    [InlineData("check-config --config.file {0}")]
    public async Task A_good_configuration_names_its_sources(string line)
    {
        using var file = new TemporaryFile("aws: [{ region: eu-west-1, glue: {} }, { region: eu-central-1, name: other, glue: {} }]\n");

        Assert.Equal(0, await InvokeAsync(string.Format(line, file.Path)));
        Assert.Equal($"{file.Path}: valid: aws/eu-west-1, aws/other\n", output.ToString());
        Assert.Empty(error.ToString());
    }

    [Theory]
    [InlineData("check-config")]
    [InlineData("run")]
    [InlineData("")]
    public async Task A_bad_configuration_is_one_line_an_error_and_exit_code_2(string command)
    {
        using var file = new TemporaryFile("aws: [{ region: x }]\nawss:\n");

        Assert.Equal(2, await InvokeAsync($"{command} --config.file={file.Path}".Trim()));
        Assert.Equal(
            $"""
            {file.Path}:1: aws[0]: has nothing to collect: add glue, s3, dynamodb, or several of them
            {file.Path}:1: aws[0].region: expected an AWS region such as eu-west-1, found 'x'
            {file.Path}:2: awss: unknown key; did you mean 'aws'?

            """, error.ToString());
    }

    [Fact]
    public async Task A_file_name_that_begins_with_an_at_sign_is_a_file_name()
    {
        Assert.Equal(2, await InvokeAsync("check-config --config.file=@/etc/hostname"));
        Assert.Equal("@/etc/hostname: there is no such file\n", error.ToString());
    }

    [Fact]
    public void What_the_demo_runs_on_is_a_configuration_that_anybody_could_write()
    {
        var configuration = PipelineExporter.Configuration.ExporterConfiguration.Parse(
            Demo.Yaml(new Uri("http://127.0.0.1:9895/")), environment: _ => "x");

        Assert.Equal("http://127.0.0.1:9895/airflow3", Assert.Single(configuration.Airflow).Url!.AbsoluteUri);
        Assert.Equal("http://127.0.0.1:9895/", Assert.Single(configuration.Aws).EndpointUrl!.AbsoluteUri);
    }

    private Task<int> InvokeAsync(string line) => CommandLine.InvokeAsync(
        line.Split(' ', StringSplitOptions.RemoveEmptyEntries), [Run.Command(), Demo.Command(), CheckConfig.Command()], output, error,
        TestContext.Current.CancellationToken);

    private sealed class TemporaryFile : IDisposable
    {
        public TemporaryFile(string content) => File.WriteAllText(Path, content);

        public string Path { get; } = System.IO.Path.GetTempFileName();

        public void Dispose() => File.Delete(Path);
    }
}
