using System.Text;
using PipelineExporter.Configuration;

namespace PipelineExporter.Tests.Configuration;

public sealed class ReferenceTests
{
    [Fact]
    public void The_documentation_lists_every_key_with_its_type_default_and_meaning()
    {
        var page = new StringBuilder("""
            # Configuration

            Generated from the code that reads `exporter.yml`; `UPDATE_GOLDEN=1 tests/run Reference` rewrites it.
            `pipeline-exporter check-config` reports every error with its line.

            Durations are written as in Prometheus (`30s`, `1h30m`, `35d`). Paths are relative to the file. YAML's anchors,
            aliases and merge keys work. Secrets never stand in the file: a key ending in `_file` names the file that holds
            one, a key ending in `_env` the environment variable.

            | Key | Type | Default | Meaning |
            |---|---|---|---|

            """);
        foreach (var key in ExporterConfiguration.Reference())
            page.Append("| `").Append(key.Path).Append("` | ").Append(key.Type).Append(" | ").Append(key.Default).Append(" | ").Append(key.Meaning).Append(" |\n");

        Golden.Matches("docs/configuration.md", page.ToString());
    }

    [Fact]
    public void Every_key_is_described_once()
    {
        var paths = ExporterConfiguration.Reference().Select(k => k.Path).ToList();

        Assert.Equal(paths.Distinct(), paths);
        Assert.All(ExporterConfiguration.Reference(), k => Assert.EndsWith(".", k.Meaning, StringComparison.Ordinal));
        Assert.Contains("airflow[].auth.basic.password_file", paths);
        Assert.Contains("aws[].glue.jobs", paths);
    }
}
