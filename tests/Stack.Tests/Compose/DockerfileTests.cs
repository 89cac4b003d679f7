using System.Text.RegularExpressions;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Compose;

/// <summary>The images, as far as they can be read without building them.</summary>
public sealed partial class DockerfileTests
{
    private static readonly string Text = File.ReadAllText(Repository.File("Dockerfile"));

    private static IReadOnlyDictionary<string, string> Stages { get; } =
        Stage.Matches(Text).ToDictionary(match => match.Groups["name"].Value, match => match.Groups["body"].Value);

    [Fact]
    public void The_exporters_image_is_a_native_program_without_the_simulator()
    {
        Assert.Contains("-p:PublishAot=true -p:WithSimulator=false", Stages["build-exporter"], StringComparison.Ordinal);
        Assert.DoesNotContain("COPY simulator", Stages["build-exporter"], StringComparison.Ordinal);
        Assert.DoesNotContain("simulator", Stages["exporter"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("exporter")]
    [InlineData("simulator")]
    public void What_runs_is_not_root(string stage) => Assert.EndsWith("USER $APP_UID", LastUser.Match(Stages[stage]).Value, StringComparison.Ordinal);

    [Fact]
    public void Every_file_that_is_copied_exists_and_is_not_ignored()
    {
        var allowed = File.ReadAllLines(Repository.File(".dockerignore")).Where(line => line.StartsWith('!')).Select(line => line[1..].TrimEnd('/')).ToList();
        var copied = Copy.Matches(Text).SelectMany(match => match.Groups["files"].Value.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Distinct().ToList();

        Assert.NotEmpty(copied);
        Assert.All(copied, file => Assert.True(Path.Exists(Repository.File(file)), $"{file} does not exist"));
        Assert.All(copied, file => Assert.Contains(file.Split('/')[0], allowed));
    }

    [Fact]
    public void What_the_exporter_is_built_with_from_other_folders_is_copied_too() => Assert.All(
        Outside.Matches(File.ReadAllText(Repository.File("exporter", "Exporter.csproj"))).Select(match => match.Groups["folder"].Value).Where(folder => folder != "simulator/"),
        folder => Assert.Contains($"COPY {folder} {folder}\n", Stages["build-exporter"], StringComparison.Ordinal));

    /// <summary>The first restore sees these files alone: one that is missing there fails the build of the image only.</summary>
    [Fact]
    public void What_decides_how_a_project_is_restored_is_copied_before_it_is()
    {
        var files = Directory.GetFiles(Repository.Root).Select(Path.GetFileName).Where(name =>
            name is "global.json" or "BannedSymbols.txt" or ".editorconfig" || name!.EndsWith(".props", StringComparison.Ordinal) || name.EndsWith(".targets", StringComparison.Ordinal));

        Assert.All(files, file => Assert.Contains($" {file} ", Stages["source"], StringComparison.Ordinal));
    }

    [GeneratedRegex(@"^FROM \S+ AS (?<name>\S+)\n(?<body>.*?)(?=^FROM |\z)", RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex Stage { get; }

    [GeneratedRegex("""
        Include="\.\./(?<folder>[^*"]+/)[^/"]*"
        """, RegexOptions.ExplicitCapture)]
    private static partial Regex Outside { get; }

    [GeneratedRegex(@"^USER .*", RegexOptions.Multiline | RegexOptions.RightToLeft)]
    private static partial Regex LastUser { get; }

    [GeneratedRegex(@"^COPY (?!--from)(?<files>.+) \S+$", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex Copy { get; }
}
