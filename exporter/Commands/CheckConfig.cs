using System.CommandLine;
using PipelineExporter.Configuration;

namespace PipelineExporter.Commands;

/// <summary><c>check-config</c>: exit code 0, or 2 with every error on a line of its own.</summary>
internal static class CheckConfig
{
    public static Command Command()
    {
        var file = Flags.ConfigFile();
        var command = new Command("check-config", "Check the configuration and the secrets it names, without starting anything.") { file };
        command.SetAction(parsed =>
        {
            var path = file.Of(parsed)!;
            var configuration = ExporterConfiguration.Load(path);
            var sources = configuration.Airflow.Select(a => $"airflow/{a.Environment}").Concat(configuration.Aws.Select(a => $"aws/{a.Name}"));
            parsed.InvocationConfiguration.Output.WriteLine($"{path}: valid: {string.Join(", ", sources)}");
            return 0;
        });
        return command;
    }
}
