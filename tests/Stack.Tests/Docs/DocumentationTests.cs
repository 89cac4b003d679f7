using System.Text.RegularExpressions;
using PipelineExporter.Stack.Tests.EndToEnd;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Docs;

/// <summary>What the pages of the repository promise to somebody who has read nothing else.</summary>
public sealed partial class DocumentationTests
{
    public static TheoryData<string> Pages => ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/airflow.md", "docs/aws.md"];

    [Theory]
    [MemberData(nameof(Pages))]
    public void A_page_links_to_files_that_exist(string page) => Assert.All(
        Link.Matches(Read(page)).Select(match => match.Groups["target"].Value).Where(target => !target.Contains("://", StringComparison.Ordinal)),
        target => Assert.True(
            Path.Exists(Repository.File(Path.Combine(Path.GetDirectoryName(page)!, target))), $"{page} links to {target}, which does not exist"));

    /// <summary>A path with a placeholder, as in <c>Collectors/&lt;System&gt;/</c>, is checked up to it.</summary>
    [Theory]
    [MemberData(nameof(Pages))]
    public void A_page_names_folders_and_files_that_exist(string page) => Assert.All(
        RepositoryPath.Matches(Read(page)).Select(match => match.Groups["path"].Value),
        path => Assert.True(Path.Exists(Repository.File(path.TrimEnd('/'))), $"{page} names {path}, which does not exist"));

    [Fact]
    public void The_ten_lines_of_configuration_are_ten() =>
        Assert.InRange(Configuration().Split('\n', StringSplitOptions.RemoveEmptyEntries).Length, 5, 10);

    [Fact]
    public async Task The_configuration_in_the_readme_is_valid()
    {
        using var folder = new TemporaryDirectory();
        var (file, password) = (folder.File("exporter.yml"), folder.File("password"));
        await File.WriteAllTextAsync(password, "secret", TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(
            file, Configuration().Replace("/run/secrets/airflow_password", password, StringComparison.Ordinal), TestContext.Current.CancellationToken);

        await CheckConfigAsync(file);
    }

    [Fact]
    public async Task The_configuration_that_compose_mounts_is_valid()
    {
        var exporter = ComposeFile.Service("exporter");
        var mounted = exporter.Mounts.Single(mount => exporter.Command.Contains($"--config.file={mount.Target}"));

        var password = exporter.Environment["AIRFLOW_PASSWORD"];
        await CheckConfigAsync(Repository.File(mounted.Source!), $"AIRFLOW_PASSWORD={password}");
    }

    private static Task<string> CheckConfigAsync(string file, params string[] variables)
    {
        var configuration = Path.GetFileName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        var program = Repository.File("artifacts", "bin", "Exporter", configuration, "pipeline-exporter.dll");
        return Command.SucceedAsync("env", [.. variables, "dotnet", program, "check-config", $"--config.file={file}"]);
    }

    private static string Configuration() => YamlBlock.Match(Read("README.md")).Groups["yaml"].Value;

    private static string Read(string page) => File.ReadAllText(Repository.File(page));

    [GeneratedRegex(@"\]\((?<target>[^)#]+)[^)]*\)", RegexOptions.ExplicitCapture)]
    private static partial Regex Link { get; }

    // Up to the first placeholder, and then up to the folder before it.
    [GeneratedRegex(@"`(?<path>(exporter|simulator|prometheus|grafana|tests|docs)/([^`<*\s/]+/)*([^`<*\s/]+(?=[`\s]))?)", RegexOptions.ExplicitCapture)]
    private static partial Regex RepositoryPath { get; }

    [GeneratedRegex(@"```yaml\n(?<yaml>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture)]
    private static partial Regex YamlBlock { get; }
}
