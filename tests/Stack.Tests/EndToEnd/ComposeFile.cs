using PipelineExporter.Stack.Tests.Tools;
using YamlDotNet.RepresentationModel;

namespace PipelineExporter.Stack.Tests.EndToEnd;

/// <summary>What docker-compose.yml starts: the same arguments, files and environment are used here without containers.</summary>
internal static class ComposeFile
{
    public static ComposeService Service(string name)
    {
        var yaml = new YamlStream();
        using (var reader = File.OpenText(Repository.File("docker-compose.yml")))
            yaml.Load(reader);
        var service = yaml.Documents[0].RootNode["services"][name];
        return new(
            name,
            [.. Sequence(service, "command")],
            [.. Sequence(service, "volumes").Select(ComposeMount.Parse)],
            Mapping(service, "environment"));
    }

    private static IEnumerable<string> Sequence(YamlNode service, string key) =>
        ((YamlMappingNode)service).Children.TryGetValue(key, out var node) ? ((YamlSequenceNode)node).Select(item => item.ToString()) : [];

    private static Dictionary<string, string> Mapping(YamlNode service, string key) =>
        ((YamlMappingNode)service).Children.TryGetValue(key, out var node)
            ? ((YamlMappingNode)node).ToDictionary(pair => pair.Key.ToString(), pair => pair.Value.ToString())
            : [];
}

internal sealed record ComposeService(
    string Name, IReadOnlyList<string> Command, IReadOnlyList<ComposeMount> Mounts, IReadOnlyDictionary<string, string> Environment);

/// <param name="Source">A path in the repository, or null for a named volume.</param>
internal sealed record ComposeMount(string? Source, string Target)
{
    public static ComposeMount Parse(string volume)
    {
        var parts = volume.Split(':');
        return new(parts[0].StartsWith('.') ? parts[0] : null, parts[1]);
    }
}
