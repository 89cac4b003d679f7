using System.Text.RegularExpressions;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>
/// The services of docker-compose.yml as processes on this machine, each with the arguments and files that compose gives it.
/// Only hosts, ports and mount points are replaced, in a temporary copy.
/// </summary>
internal sealed partial class ComposeStack : IAsyncDisposable
{
    private static readonly string[] Services = ["simulator", "exporter", "prometheus", "alertmanager"];

    private readonly TemporaryDirectory directory = new();
    private readonly Dictionary<string, RunningProcess> running = [];
    private readonly Dictionary<string, int> ports = new()
    {
        // As the services know each other inside of compose, and where they listen here.
        ["simulator:9895"] = Port.Free(),
        ["simulator:9896"] = Port.Free(),
        ["exporter:9894"] = Port.Free(),
        ["prometheus:9090"] = Port.Free(),
        ["alertmanager:9093"] = Port.Free(),
    };

    private readonly Func<string, string, string> edit;

    private ComposeStack(Func<string, string, string> edit) => this.edit = edit;

    public Uri Simulator => Address("simulator:9895");

    public Uri Exporter => Address("exporter:9894");

    public Uri Prometheus => Address("prometheus:9090");

    public Uri Alertmanager => Address("alertmanager:9093");

    /// <summary>Starts all of it in compose's order.</summary>
    /// <param name="edit">Changes a mounted file (its path in the repository, its text); for scaled times.</param>
    public static async Task<ComposeStack> StartAsync(Func<string, string, string>? edit = null)
    {
        var stack = new ComposeStack(edit ?? ((_, text) => text));
        try
        {
            foreach (var service in Services)
                stack.Prepare(ComposeFile.Service(service));
            foreach (var service in Services)
                await stack.StartServiceAsync(service);
            return stack;
        }
        catch
        {
            await stack.DisposeAsync();
            throw;
        }
    }

    public async Task StartServiceAsync(string name)
    {
        var service = ComposeFile.Service(name);
        string[] arguments = [.. service.Command.Select(argument => Local(service, argument))];
        (string program, string[] first, Uri ready) = name switch
        {
            "simulator" => ("dotnet", [Built("Simulator.Host", "pipeline-simulator.dll")], new Uri(Simulator, "simulator/incidents")),
            "exporter" => ("dotnet", [Built("Exporter", "pipeline-exporter.dll")], new Uri(Exporter, "-/ready")),
            "prometheus" => ("prometheus", Array.Empty<string>(), new Uri(Prometheus, "-/ready")),
            _ => ("prometheus-alertmanager", [], new Uri(Alertmanager, "-/ready")),
        };
        running[name] = await RunningProcess.StartAsync(
            program, [.. first, .. arguments], ready, directory.Path, service.Environment.ToDictionary(pair => pair.Key, pair => (string?)pair.Value));
    }

    public async Task StopServiceAsync(string name)
    {
        await running[name].StopAsync();
        await running[name].DisposeAsync();
        running.Remove(name);
    }

    /// <summary>What every process wrote, for a failed test's message.</summary>
    public string Output() => string.Join('\n', running.Select(one => $"== {one.Key}\n{one.Value.Output}"));

    public async ValueTask DisposeAsync()
    {
        foreach (var process in running.Values)
            await process.DisposeAsync();
        directory.Dispose();
    }

    // The program that was built with this test, in the same configuration.
    private static string Built(string project, string file)
    {
        var configuration = Path.GetFileName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        return Repository.File("artifacts", "bin", project, configuration, file);
    }

    private Uri Address(string service) => new($"http://127.0.0.1:{ports[service]}");

    private string MountPoint(ComposeService service, string target) => directory.File(service.Name + target);

    // Mounted files are copied, with addresses replaced; named volumes are empty folders.
    private void Prepare(ComposeService service)
    {
        foreach (var mount in service.Mounts)
        {
            var target = MountPoint(service, mount.Target);
            if (mount.Source is null)
            {
                Directory.CreateDirectory(target);
                continue;
            }

            var source = Repository.File(mount.Source);
            var files = File.Exists(source) ? [source] : Directory.GetFiles(source, "*", SearchOption.AllDirectories);
            foreach (var file in files)
            {
                var copy = File.Exists(source) ? target : Path.Combine(target, Path.GetRelativePath(source, file));
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                var path = Path.GetRelativePath(Repository.Root, file);
                File.WriteAllText(copy, Addresses(service.Name, edit(path, File.ReadAllText(file))));
            }
        }
    }

    // "/etc/prometheus/…" becomes the copy's path, ":9090" and "0.0.0.0:9090" this machine's free port.
    private string Local(ComposeService service, string argument)
    {
        foreach (var mount in service.Mounts)
            argument = Regex.Replace(argument, $@"(?<==){Regex.Escape(mount.Target)}(?=/|$)", MountPoint(service, mount.Target));
        argument = ListenAddress().Replace(argument, match =>
            ports.TryGetValue($"{service.Name}:{match.Groups["port"].Value}", out var port) ? $"=127.0.0.1:{port}" : match.Value);
        return Addresses(service.Name, argument);
    }

    // "localhost" is the reader's machine in links and the service itself in its own scrape job: both are this machine.
    private string Addresses(string service, string text) => HostAndPort().Replace(text, match =>
    {
        var port = match.Groups["port"].Value;
        var known = match.Groups["host"].Value == "localhost" ? ports.Keys.FirstOrDefault(key => key.EndsWith($":{port}", StringComparison.Ordinal)) : match.Value;
        return known is not null && ports.TryGetValue(known, out var free) ? $"127.0.0.1:{free}" : match.Value;
    });

    [GeneratedRegex(@"=(0\.0\.0\.0)?:(?<port>\d+)$", RegexOptions.ExplicitCapture)]
    private static partial Regex ListenAddress();

    [GeneratedRegex(@"\b(?<host>simulator|exporter|prometheus|alertmanager|localhost):(?<port>\d+)\b", RegexOptions.ExplicitCapture)]
    private static partial Regex HostAndPort();
}
