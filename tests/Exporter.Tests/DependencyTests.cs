using System.Text.RegularExpressions;

namespace PipelineExporter.Tests;

/// <summary>Dependencies point one way; a folder of the exporter knows these folders and no others.</summary>
public sealed partial class DependencyTests
{
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Metrics"] = [],
        ["Logging"] = [],
        ["Configuration"] = [],
        ["State"] = ["Metrics"],
        ["Sources"] = [],
        ["Collectors"] = ["Configuration", "Metrics", "Sources", "State"],
        ["Scraping"] = ["Collectors", "Configuration", "Metrics", "Sources", "State"],
        ["Web"] = ["Collectors", "Metrics", "Scraping", "State"],
        ["Commands"] = ["Collectors", "Configuration", "Logging", "Metrics", "Simulator", "State", "Web"],
    };

    public static TheoryData<string> Folders => [.. Directory.GetDirectories(Path.Combine(Golden.Root, "exporter")).Select(folder => Path.GetFileName(folder)!)];

    [Theory]
    [MemberData(nameof(Folders))]
    public void A_folder_knows_only_those_below_it(string folder)
    {
        var known = Directory.EnumerateFiles(Path.Combine(Golden.Root, "exporter", folder), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => Using().Matches(File.ReadAllText(file)).Select(match => (File: Path.GetFileName(file), Folder: match.Groups["folder"].Value)))
            .Where(use => use.Folder != folder);

        Assert.All(known, use => Assert.True(Allowed[folder].Contains(use.Folder), $"{use.File} uses {use.Folder}"));
    }

    [Fact]
    public void Only_Metrics_knows_prometheus_net() => Assert.All(
        Directory.EnumerateFiles(Path.Combine(Golden.Root, "exporter"), "*.cs", SearchOption.AllDirectories)
            .Where(file => File.ReadAllText(file).Contains("using Prometheus", StringComparison.Ordinal)),
        file => Assert.Equal("Metrics", Path.GetFileName(Path.GetDirectoryName(file))));

    [Fact]
    public void The_simulator_does_not_know_the_exporter() => Assert.All(
        Directory.EnumerateFiles(Path.Combine(Golden.Root, "simulator"), "*.cs", SearchOption.AllDirectories),
        file => Assert.All(Using().Matches(File.ReadAllText(file)), match => Assert.Equal("Simulator", match.Groups["folder"].Value)));

    [Fact]
    public void Only_the_demo_knows_the_simulator() => Assert.Equal(
        ["Demo.cs"],
        Directory.EnumerateFiles(Path.Combine(Golden.Root, "exporter"), "*.cs", SearchOption.AllDirectories)
            .Where(file => Using().Matches(File.ReadAllText(file)).Any(match => match.Groups["folder"].Value == "Simulator"))
            .Select(file => Path.GetFileName(file)));

    [GeneratedRegex(@"^using (static )?PipelineExporter\.(?<folder>\w+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Using();
}
