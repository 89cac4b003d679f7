namespace PipelineExporter.Stack.Tests.Tools;

/// <summary>The checkout that the tests were built from: what is tested here are its files, as they are shipped.</summary>
internal static class Repository
{
    public static string Root { get; } = FindRoot();

    public static string File(params ReadOnlySpan<string> parts) => Path.Combine([Root, .. parts]);

    /// <summary>Paths below the root, with '/', in order.</summary>
    public static IReadOnlyList<string> Files(string folder, string pattern) =>
    [
        .. Directory.EnumerateFiles(File(folder), pattern, SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Root, path))
            .Order(StringComparer.Ordinal),
    ];

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (System.IO.File.Exists(Path.Combine(folder.FullName, "Exporter.sln")))
                return folder.FullName;
        }

        throw new DirectoryNotFoundException($"No Exporter.sln above {AppContext.BaseDirectory}: run the tests from a checkout.");
    }
}
