using PipelineExporter.Stack.Tests.EndToEnd;
using PipelineExporter.Stack.Tests.Tools;
using YamlDotNet.RepresentationModel;

namespace PipelineExporter.Stack.Tests.Grafana;

/// <summary>The files that tell Grafana where its data and its dashboards are.</summary>
public sealed class ProvisioningTests
{
    private static YamlNode Prometheus => DataSource("prometheus");

    [Fact]
    public void Data_sources_are_the_services_of_compose_under_fixed_names()
    {
        var file = Load("datasources");
        var sources = ((YamlSequenceNode)file["datasources"]).ToDictionary(source => source["uid"].ToString(), source => source["url"].ToString());

        Assert.Equal("1", file["apiVersion"].ToString());
        Assert.Equal("true", file["prune"].ToString());
        Assert.Equal(new() { ["prometheus"] = "http://prometheus:9090", ["alertmanager"] = "http://alertmanager:9093" }, sources);
        Assert.All((YamlSequenceNode)file["datasources"], source => Assert.Equal("false", source["editable"].ToString()));
    }

    [Fact]
    public void Grafana_knows_the_scrape_interval_and_asks_by_post()
    {
        var scrapeInterval = Yaml("prometheus", "prometheus.yml")["global"]["scrape_interval"].ToString();

        Assert.Equal(scrapeInterval, Prometheus["jsonData"]["timeInterval"].ToString());
        Assert.Equal("POST", Prometheus["jsonData"]["httpMethod"].ToString());
        Assert.Equal("true", Prometheus["isDefault"].ToString());
    }

    [Fact]
    public void The_alertmanager_is_prometheus_own_kind_and_prometheus_knows_it()
    {
        Assert.Equal("prometheus", DataSource("alertmanager")["jsonData"]["implementation"].ToString());
        Assert.Equal("alertmanager", Prometheus["jsonData"]["alertmanagerUid"].ToString());
    }

    [Fact]
    public void Dashboards_come_from_the_folder_that_compose_mounts_and_keep_its_folders()
    {
        var provider = Assert.Single((YamlSequenceNode)Load("dashboards")["providers"]);
        var mount = ComposeFile.Service("grafana").Mounts.Single(mount => mount.Source == $"./{Dashboard.Folder}");

        Assert.Equal("file", provider["type"].ToString());
        Assert.Equal("false", provider["allowUiUpdates"].ToString());
        Assert.Equal(mount.Target, provider["options"]["path"].ToString());
        Assert.Equal("true", provider["options"]["foldersFromFilesStructure"].ToString());
        // With either of these Grafana ignores the folders.
        Assert.DoesNotContain(((YamlMappingNode)provider).Children.Keys, key => key.ToString() is "folder" or "folderUid");
    }

    [Fact]
    public void The_home_page_is_a_dashboard_of_this_repository()
    {
        var grafana = ComposeFile.Service("grafana");
        var home = grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"];
        var mount = grafana.Mounts.Single(mount => mount.Source == $"./{Dashboard.Folder}");

        Assert.Contains(home.Replace(mount.Target, Dashboard.Folder, StringComparison.Ordinal), Dashboard.Files);
    }

    private static YamlNode Load(string kind)
    {
        var file = Assert.Single(Repository.Files($"grafana/provisioning/{kind}", "*"));
        return Yaml(file);
    }

    private static YamlNode DataSource(string uid) =>
        ((YamlSequenceNode)Load("datasources")["datasources"]).Single(source => source["uid"].ToString() == uid);

    private static YamlNode Yaml(params ReadOnlySpan<string> path)
    {
        var yaml = new YamlStream();
        using var reader = File.OpenText(Repository.File(path));
        yaml.Load(reader);
        return yaml.Documents.Single().RootNode;
    }
}
