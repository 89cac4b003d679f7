using System.Diagnostics;
using System.Text.Json.Nodes;

namespace PipelineExporter.Simulator.Tests.Aws;

/// <summary>Debian's aws CLI, with no configuration but what stands here: neither files nor variables of whoever runs the tests.</summary>
internal sealed class AwsCli(Uri endpoint)
{
    public async Task<JsonNode> AnswerAsync(params string[] arguments) => await AnswerAsync([], arguments);

    public async Task<JsonNode> AnswerAsync(Dictionary<string, string> environment, params string[] arguments)
    {
        var (code, output, error) = await RunAsync(environment, arguments);
        Assert.True(code == 0, error);
        return JsonNode.Parse(output)!;
    }

    /// <summary>What it says of an error.</summary>
    public async Task<string> RefusalAsync(params string[] arguments) => await RefusalAsync([], arguments);

    public async Task<string> RefusalAsync(Dictionary<string, string> environment, params string[] arguments)
    {
        var (code, output, error) = await RunAsync(environment, arguments);
        Assert.True(code != 0, output);
        return error;
    }

    public async Task<(int Code, string Output, string Error)> RunAsync(Dictionary<string, string> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo("/usr/bin/aws")
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in new[] { "--endpoint-url", endpoint.ToString(), "--output", "json" }.Concat(arguments))
            start.ArgumentList.Add(argument);
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/bin:/bin";
        start.Environment["HOME"] = "/nonexistent";
        start.Environment["AWS_REGION"] = "eu-west-1";
        start.Environment["AWS_ACCESS_KEY_ID"] = "SIMULATOR";
        start.Environment["AWS_SECRET_ACCESS_KEY"] = "simulator-secret";
        start.Environment["AWS_EC2_METADATA_DISABLED"] = "true";
        start.Environment["AWS_MAX_ATTEMPTS"] = "1";
        foreach (var (name, value) in environment)
            start.Environment[name] = value;

        using var process = Process.Start(start)!;
        var ct = TestContext.Current.CancellationToken;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(ct), process.StandardError.ReadToEndAsync(ct));
        await process.WaitForExitAsync(ct);
        return (process.ExitCode, await output, await error);
    }
}
