using System.Security.Cryptography;
using PipelineExporter.Stack.Tests.Tools;

namespace PipelineExporter.Stack.Tests.Compose;

/// <summary>The npm programs of package-lock.json, installed below artifacts/ once for each version of the lock file.</summary>
internal static class NodeModules
{
    private static readonly Lazy<Task<string>> Installed = new(InstallAsync);

    /// <summary>The path of an installed program.</summary>
    public static async Task<string> ProgramAsync(string name) => Path.Combine(await Installed.Value, "node_modules", ".bin", name);

    private static async Task<string> InstallAsync()
    {
        var lockFile = Repository.File("tests", "Stack.Tests", "package-lock.json");
        var version = Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(lockFile)))[..12];
        var folder = Repository.File("artifacts", "npm", version);
        if (Directory.Exists(folder))
            return folder;

        // Installed beside it and then moved: a run that is stopped midway leaves nothing that looks complete.
        var unfinished = $"{folder}.{Environment.ProcessId}";
        Directory.CreateDirectory(unfinished);
        foreach (var file in (string[])["package.json", "package-lock.json"])
            File.Copy(Repository.File("tests", "Stack.Tests", file), Path.Combine(unfinished, file), overwrite: true);
        var result = await Command.RunAsync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], unfinished);
        Assert.True(result.ExitCode == 0, $"npm ci: exit code {result.ExitCode}\n{result.Output}{result.Error}");
        Directory.Move(unfinished, folder);
        return folder;
    }
}
