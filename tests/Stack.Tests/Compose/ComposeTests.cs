using System.Text.RegularExpressions;
using PipelineExporter.Stack.Tests.Tools;
using YamlDotNet.RepresentationModel;

namespace PipelineExporter.Stack.Tests.Compose;

/// <summary>docker-compose.yml: that it is valid, starts with nothing prepared, and opens nothing to the network.</summary>
public sealed partial class ComposeTests
{
    // As docker-compose resolves it: anchors, defaults and paths.
    private static readonly Lazy<Task<YamlMappingNode>> Resolved = new(ResolveAsync);

    private static readonly string[] Built = ["exporter", "simulator"];

    public static TheoryData<string> Services => ["alertmanager", "exporter", "grafana", "prometheus", "simulator"];

    [Fact]
    public async Task Docker_compose_accepts_it_and_it_holds_these_services()
    {
        var services = (YamlMappingNode)(await Resolved.Value)["services"];

        Assert.Equal(Services.Select(row => row.Data), services.Children.Keys.Select(key => key.ToString()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_linter_finds_nothing_to_say() =>
        await Command.SucceedAsync(await NodeModules.ProgramAsync("dclint"), "--max-warnings", "0", "docker-compose.yml");

    [Fact]
    public void The_linter_is_pinned_by_its_content_and_to_no_host()
    {
        var lockFile = File.ReadAllText(Repository.File("tests", "Stack.Tests", "package-lock.json"));

        Assert.Contains("\"integrity\": \"sha512-", lockFile, StringComparison.Ordinal);
        Assert.DoesNotContain("\"resolved\"", lockFile, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_needs_no_file_and_no_variable_that_is_not_in_the_repository()
    {
        var text = await File.ReadAllTextAsync(Repository.File("docker-compose.yml"), TestContext.Current.CancellationToken);

        Assert.DoesNotContain("env_file", text, StringComparison.Ordinal);
        Assert.DoesNotContain("${", text, StringComparison.Ordinal);
        foreach (var row in Services)
        {
            foreach (var mount in (await MountsAsync(row.Data)).Where(mount => Path.IsPathRooted(mount.Source)))
                Assert.True(Path.Exists(mount.Source), $"{row.Data} mounts {mount.Source}, which does not exist");
        }
    }

    [Theory]
    [MemberData(nameof(Services))]
    public async Task A_service_is_reached_from_this_machine_alone(string name)
    {
        var ports = await ListAsync(name, "ports");

        Assert.Single(ports);
        Assert.All(ports, port => Assert.Matches(@"^127\.0\.0\.1:(?<port>\d+):\k<port>/tcp$", port));
    }

    [Theory]
    [MemberData(nameof(Services))]
    public async Task An_image_is_of_one_version_or_built_here(string name)
    {
        var service = await ServiceAsync(name);

        if (Built.Contains(name))
        {
            Assert.Equal(name, service["build"]["target"].ToString());
            Assert.Contains($" AS {name}\n", await File.ReadAllTextAsync(Repository.File("Dockerfile"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }
        else
        {
            Assert.Matches(@"^[a-z]+/[a-z]+:v?\d+\.\d+\.\d+$", service["image"].ToString());
        }
    }

    [Theory]
    [MemberData(nameof(Services))]
    public async Task A_service_tells_its_health_from_inside_by_a_program_of_its_image(string name)
    {
        var check = (await ServiceAsync(name))["healthcheck"];
        var test = ((YamlSequenceNode)check["test"]).Select(item => item.ToString()).ToList();
        var port = Port.Match((await ListAsync(name, "ports")).Single()).Value;

        // Prometheus' and Grafana's images have busybox' wget; ours install curl.
        Assert.Equal(["CMD", Built.Contains(name) ? "curl" : "wget"], test[..2]);
        Assert.StartsWith($"http://127.0.0.1:{port}/", test[^1], StringComparison.Ordinal);
        Assert.All((string[])["interval", "timeout", "retries"], key => Assert.NotEmpty(check[key].ToString()));
    }

    [Fact]
    public async Task Services_start_in_order_each_when_what_it_needs_is_healthy()
    {
        var order = new List<string>();
        while (order.Count < Services.Count)
        {
            var next = new List<string>();
            foreach (var name in Services.Select(row => row.Data).Except(order))
            {
                if ((await DependenciesAsync(name)).All(order.Contains))
                    next.Add(name);
            }

            Assert.NotEmpty(next); // or they wait for each other
            order.AddRange(next);
        }

        Assert.Equal(["simulator", "alertmanager", "exporter", "prometheus", "grafana"], order);
    }

    [Theory]
    [MemberData(nameof(Services))]
    public async Task A_service_cannot_write_to_its_image_nor_gain_rights(string name)
    {
        var service = await ServiceAsync(name);

        Assert.Equal("true", service["read_only"].ToString());
        Assert.Equal(["ALL"], await ListAsync(name, "cap_drop"));
        Assert.Equal(["no-new-privileges:true"], await ListAsync(name, "security_opt"));
        Assert.Equal("unless-stopped", service["restart"].ToString());
        Assert.DoesNotContain(service.Children.Keys, key => key.ToString() is "privileged" or "network_mode" or "cap_add");
        Assert.NotEqual("root", service.Children.TryGetValue("user", out var user) ? user.ToString() : "");
    }

    [Theory]
    [MemberData(nameof(Services))]
    public async Task Files_of_the_repository_are_mounted_to_be_read_and_what_is_written_goes_to_a_named_volume(string name)
    {
        var mounts = await MountsAsync(name);
        var volumes = ((YamlMappingNode)(await Resolved.Value)["volumes"]).Children.Keys.Select(key => key.ToString()).ToList();

        Assert.All(mounts, mount => Assert.Equal(Path.IsPathRooted(mount.Source) ? "ro" : "rw", mount.Mode));
        Assert.All(mounts.Where(mount => mount.Mode == "rw"), mount => Assert.Contains(mount.Source, volumes));
    }

    /// <summary>A new volume takes the owner of the folder that the image has there; where there is none it is root's.</summary>
    [Theory]
    [InlineData("alertmanager", "/alertmanager")]
    [InlineData("exporter", "/var/lib/pipeline-exporter")]
    [InlineData("grafana", "/var/lib/grafana")]
    [InlineData("prometheus", "/prometheus")]
    public async Task A_named_volume_lies_where_the_image_has_a_folder_that_its_user_owns(string name, string folder)
    {
        var volume = Assert.Single(await MountsAsync(name), mount => mount.Mode == "rw");

        Assert.Equal(folder, volume.Target);
        if (name == "exporter")
        {
            Assert.Contains(
                $"install -d -o \"$APP_UID\" -g \"$APP_UID\" {folder}",
                await File.ReadAllTextAsync(Repository.File("Dockerfile"), TestContext.Current.CancellationToken),
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Grafana_lets_everybody_look_and_nobody_log_in()
    {
        var settings = ((YamlMappingNode)(await ServiceAsync("grafana"))["environment"]).ToDictionary(one => one.Key.ToString(), one => one.Value.ToString());

        Assert.Equal("true", settings["GF_AUTH_ANONYMOUS_ENABLED"]);
        Assert.Equal("Viewer", settings["GF_AUTH_ANONYMOUS_ORG_ROLE"]);
        Assert.Equal("true", settings["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"]);
        Assert.DoesNotContain(settings.Keys, key => key.Contains("PASSWORD", StringComparison.Ordinal));
    }

    /// <summary>The only secrets in the file are those of the simulator, which are public.</summary>
    [Fact]
    public async Task Passwords_and_keys_are_the_simulators()
    {
        var secrets = new List<string>();
        foreach (var row in Services)
        {
            if ((await ServiceAsync(row.Data)).Children.TryGetValue("environment", out var environment))
                secrets.AddRange(((YamlMappingNode)environment).Where(one => Secret.IsMatch(one.Key.ToString())).Select(one => one.Value.ToString()));
        }

        Assert.Equal(["SIMULATOR", "simulator-password", "simulator-secret"], secrets.Order(StringComparer.OrdinalIgnoreCase));
    }

    private static async Task<YamlMappingNode> ResolveAsync()
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(await Command.SucceedAsync("docker-compose", "--file", "docker-compose.yml", "config")));
        return (YamlMappingNode)yaml.Documents[0].RootNode;
    }

    private static async Task<YamlMappingNode> ServiceAsync(string name) => (YamlMappingNode)(await Resolved.Value)["services"][name];

    private static async Task<IReadOnlyList<string>> ListAsync(string name, string key) =>
        (await ServiceAsync(name)).Children.TryGetValue(key, out var list) ? [.. ((YamlSequenceNode)list).Select(item => item.ToString())] : [];

    private static async Task<IReadOnlyList<string>> DependenciesAsync(string name)
    {
        if (!(await ServiceAsync(name)).Children.TryGetValue("depends_on", out var dependencies))
            return [];
        Assert.All((YamlMappingNode)dependencies, one => Assert.Equal("service_healthy", one.Value["condition"].ToString()));
        return [.. ((YamlMappingNode)dependencies).Children.Keys.Select(key => key.ToString())];
    }

    private static async Task<IReadOnlyList<(string Source, string Target, string Mode)>> MountsAsync(string name) =>
        [.. (await ListAsync(name, "volumes")).Select(volume => volume.Split(':')).Select(parts => (parts[0], parts[1], parts[2]))];

    [GeneratedRegex(@"\d+(?=/tcp$)")]
    private static partial Regex Port { get; }

    [GeneratedRegex("PASSWORD|SECRET|TOKEN|KEY")]
    private static partial Regex Secret { get; }
}
