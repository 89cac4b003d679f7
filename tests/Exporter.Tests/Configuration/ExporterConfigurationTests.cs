using PipelineExporter.Configuration;

namespace PipelineExporter.Tests.Configuration;

public sealed class ExporterConfigurationTests
{
    [Fact]
    public void The_smallest_configuration_has_defaults_for_everything_else()
    {
        var configuration = Parse("""
            airflow:
              - environment: production
                url: https://airflow.example.com
                auth: { basic: { username: exporter, password_env: PASSWORD } }
            aws:
              - region: eu-west-1
                glue:
            """);

        var airflow = Assert.Single(configuration.Airflow);
        Assert.Equal("production", airflow.Environment);
        Assert.Equal(new Uri("https://airflow.example.com"), airflow.Url);
        Assert.Equal("exporter", Assert.IsType<BasicAuth>(airflow.Auth).Username);
        Assert.Equal(
            [TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(90), TimeSpan.FromHours(1)],
            [airflow.PollInterval, airflow.Timeout, airflow.StaleAfter, airflow.Lookback]);
        Assert.Equal(200_000, airflow.SeriesLimit);
        Assert.Empty(airflow.Labels);
        Assert.False(airflow.AllowInsecureAuth);

        var aws = Assert.Single(configuration.Aws);
        Assert.Equal(("eu-west-1", "eu-west-1"), (aws.Name, aws.Region));
        Assert.Equal((null, null, null, null), (aws.AccountId, aws.RoleArn, aws.ExternalId, aws.EndpointUrl));
        Assert.Equal([TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(3)], [aws.PollInterval, aws.StaleAfter]);
        Assert.Equal("*", Assert.Single(aws.Glue!.Jobs).ToString());
        Assert.Null(aws.Glue.PollInterval);

        Assert.Empty(configuration.Web.Links);
        Assert.Equal((TimeSpan.FromDays(35), TimeSpan.FromSeconds(60)), (configuration.State.KeyRetention, configuration.State.ZeroHold));
    }

    [Fact]
    public void Every_key_reaches_its_place()
    {
        var configuration = Parse("""
            airflow:
              - environment: staging
                url: http://airflow.internal:8080/prefix/
                auth: { token: { username: u, password_env: PASSWORD } }
                allow_insecure_auth: true
                poll_interval: 1m
                timeout: 10s
                stale_after: 1h30m
                lookback: 0
                labels: { team: data, tier: "1" }
                series_limit: 5
              - environment: other
                url: http://localhost:8080
                auth: { bearer: { token_env: PASSWORD } }
            aws:
              - name: ireland
                region: eu-west-1
                account_id: 012345678901
                role_arn: arn:aws:iam::012345678901:role/team/exporter
                external_id: abc
                endpoint_url: http://127.0.0.1:4566
                poll_interval: 2m
                timeout: 5s
                stale_after: 2m
                labels: { environment: staging }
                series_limit: 7
                glue: { jobs: ["music_*", exact], poll_interval: 5m }
            web: { grafana_url: "https://g", prometheus_url: "https://p", alertmanager_url: "https://a" }
            state: { key_retention: 5w, zero_hold: 0 }
            """);

        var airflow = configuration.Airflow[0];
        Assert.Equal("http://airflow.internal:8080/prefix", airflow.Url!.AbsoluteUri);
        Assert.Equal("swordfish", Assert.IsType<TokenAuth>(airflow.Auth).Password.Read());
        Assert.Equal(
            [TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(10), TimeSpan.FromMinutes(90), TimeSpan.Zero],
            [airflow.PollInterval, airflow.Timeout, airflow.StaleAfter, airflow.Lookback]);
        Assert.Equal([new("team", "data"), new("tier", "1")], airflow.Labels);
        Assert.Equal(5, airflow.SeriesLimit);
        Assert.Equal("swordfish", Assert.IsType<BearerAuth>(configuration.Airflow[1].Auth).Token.Read());

        var aws = Assert.Single(configuration.Aws);
        Assert.Equal(
            ("ireland", "eu-west-1", "012345678901", "arn:aws:iam::012345678901:role/team/exporter", "abc"),
            (aws.Name, aws.Region, aws.AccountId, aws.RoleArn, aws.ExternalId));
        Assert.Equal(new Uri("http://127.0.0.1:4566"), aws.EndpointUrl);
        Assert.Equal(
            [TimeSpan.FromMinutes(2), TimeSpan.FromSeconds(5), TimeSpan.FromMinutes(2)], [aws.PollInterval, aws.Timeout, aws.StaleAfter]);
        Assert.Equal([new("environment", "staging")], aws.Labels);
        Assert.Equal(7, aws.SeriesLimit);
        Assert.Equal(["music_*", "exact"], aws.Glue!.Jobs.Select(j => j.ToString()));
        Assert.Equal(TimeSpan.FromMinutes(5), aws.Glue.PollInterval);
        Assert.Equal(
            [new("Grafana", new("https://g")), new("Prometheus", new("https://p")), new("Alertmanager", new("https://a"))], configuration.Web.Links);
        Assert.Equal((TimeSpan.FromDays(35), TimeSpan.Zero), (configuration.State.KeyRetention, configuration.State.ZeroHold));
    }

    [Fact]
    public void An_environment_of_Amazon_needs_its_name_and_region_alone()
    {
        var airflow = Assert.Single(Parse("""
            airflow: [{ environment: production, auth: { mwaa: { name: music-streaming, region: eu-west-1 } } }]
            """).Airflow);

        var mwaa = Assert.IsType<MwaaAuth>(airflow.Auth);
        Assert.Equal(("music-streaming", "eu-west-1"), (mwaa.Name, mwaa.Region));
        Assert.Equal((null, null, null), (mwaa.RoleArn, mwaa.ExternalId, mwaa.EndpointUrl));
        Assert.Equal((null, null, null), (airflow.Url, airflow.ExternalUrl, airflow.Workers));
    }

    [Theory]
    [InlineData("cn-north-1", "arn:aws-cn:iam::012345678901:role/monitoring")]
    [InlineData("us-gov-east-1", "arn:aws-us-gov:iam::012345678901:role/path/monitoring")]
    [InlineData("eusc-de-east-1", "arn:aws-eusc:iam::012345678901:role/monitoring")]
    [InlineData("us-isob-east-1", "arn:aws-iso-b:iam::012345678901:role/monitoring")]
    public void Every_partition_of_AWS_is_known(string region, string role)
    {
        var aws = Assert.Single(Parse($"aws: [{{ region: {region}, account_id: \"012345678901\", role_arn: \"{role}\", use_fips: true, glue: }}]").Aws);

        Assert.Equal((region, role, true), (aws.Region, aws.RoleArn, aws.UseFips));
    }

    [Fact]
    public void Every_key_of_an_environment_of_Amazon_reaches_its_place()
    {
        var airflow = Assert.Single(Parse("""
            airflow:
              - environment: production
                external_url: https://music.airflow.example.com
                auth:
                  mwaa:
                    name: music_Streaming-2
                    region: us-gov-west-1
                    role_arn: arn:aws-us-gov:iam::012345678901:role/monitoring
                    external_id: abc
                    endpoint_url: http://127.0.0.1:9896
                workers:
                  cloudwatch:
                    region: eu-west-1
                    namespace: CWAgent
                    cpu_metric: cpu_usage_active
                    memory_metric: mem_used
                    dimensions: { Fleet: "airflow workers", Stage: production }
                    cluster_dimension: AutoScalingGroupName
                    unit: ratio
                    role_arn: arn:aws:iam::012345678901:role/metrics
                    external_id: def
                    endpoint_url: http://127.0.0.1:9897
            """).Airflow);

        Assert.Equal(new Uri("https://music.airflow.example.com"), airflow.ExternalUrl);
        var mwaa = Assert.IsType<MwaaAuth>(airflow.Auth);
        Assert.Equal(
            ("music_Streaming-2", "us-gov-west-1", "arn:aws-us-gov:iam::012345678901:role/monitoring", "abc", new Uri("http://127.0.0.1:9896")),
            (mwaa.Name, mwaa.Region, mwaa.RoleArn, mwaa.ExternalId, mwaa.EndpointUrl));
        var workers = airflow.Workers!.CloudWatch!;
        Assert.Equal(
            ("eu-west-1", "CWAgent", "cpu_usage_active", "mem_used", "AutoScalingGroupName", false),
            (workers.Region, workers.Namespace, workers.CpuMetric, workers.MemoryMetric, workers.ClusterDimension, workers.IsPercent));
        Assert.Equal([new("Fleet", "airflow workers"), new("Stage", "production")], workers.Dimensions);
        Assert.Equal(
            ("arn:aws:iam::012345678901:role/metrics", "def", new Uri("http://127.0.0.1:9897")), (workers.RoleArn, workers.ExternalId, workers.EndpointUrl));
    }

    [Fact]
    public void Anchors_aliases_and_merge_keys_share_what_is_the_same()
    {
        var configuration = Parse("""
            airflow:
              - &base
                environment: a
                url: https://a
                poll_interval: 5s
                auth: &auth { bearer: { token_env: PASSWORD } }
              - { <<: *base, environment: b, url: "https://b" }
              - { environment: c, url: "https://c", auth: *auth }
            """);

        Assert.Equal(["a", "b", "c"], configuration.Airflow.Select(a => a.Environment));
        Assert.Equal([5, 5, 30], configuration.Airflow.Select(a => a.PollInterval.TotalSeconds));
        Assert.All(configuration.Airflow, a => Assert.IsType<BearerAuth>(a.Auth));
    }

    [Theory]
    [InlineData("http://localhost:8080")]
    [InlineData("http://airflow.localhost")]
    [InlineData("http://127.0.0.2")]
    [InlineData("http://[::1]:8080")]
    [InlineData("https://airflow.example.com")]
    public void Credentials_may_go_where_nobody_can_read_them_on_the_way(string url) => Assert.Single(Parse(Basic(url)).Airflow);

    [Theory]
    [InlineData("http://airflow.example.com")]
    [InlineData("http://10.0.0.1:8080")]
    [InlineData("http://localhost.example.com")]
    [InlineData("HTTP://127.0.0.1.example.com")]
    public void Credentials_in_the_clear_to_another_host_are_refused(string url) =>
        Assert.Contains("credentials would cross the network in the clear",
            Assert.Throws<ConfigurationException>(() => Parse(Basic(url))).Message, StringComparison.Ordinal);

    [Fact]
    public void Paths_of_secrets_begin_at_the_directory_of_the_file()
    {
        var directory = Directory.CreateTempSubdirectory("pipeline-exporter-test-");
        try
        {
            File.WriteAllText(Path.Combine(directory.FullName, "token"), "t0ken\n");
            var file = Path.Combine(directory.FullName, "exporter.yml");
            File.WriteAllText(file, "\ufeffairflow: [{ environment: a, url: \"https://a\", auth: { bearer: { token_file: token } } }]\r\n");

            var configuration = ExporterConfiguration.Load(file);

            Assert.Equal("t0ken", Assert.IsType<BearerAuth>(configuration.Airflow[0].Auth).Token.Read());
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("/nowhere/exporter.yml", "there is no such file")]
    [InlineData("/", "is a directory, not a file")]
    [InlineData("", "cannot be read")]
    [InlineData("/dev/zero", "is larger than 1024 KiB, which no configuration needs")]
    public void A_file_that_cannot_be_read_is_one_line(string file, string expected) =>
        Assert.Equal($"{file}: {expected}", Assert.Throws<ConfigurationException>(() => ExporterConfiguration.Load(file)).Message);

    [Fact]
    public void Accounts_and_regions_may_be_combined_in_every_way_that_may_be_different()
    {
        var configuration = ExporterConfiguration.Parse("""
            aws:
              - { region: eu-west-1, glue: }
              - { region: eu-central-1, glue: }
              - { name: a, region: eu-west-1, account_id: 123456789012, glue: }
              - { name: b, region: eu-west-1, role_arn: "arn:aws:iam::210987654321:role/x", glue: }
              - { name: c, region: eu-west-1, endpoint_url: "http://127.0.0.1:4566", glue: }
            """);

        Assert.Equal(5, configuration.Aws.Length);
    }

    private static string Basic(string url) => $$"""
        airflow:
          - environment: production
            url: "{{url}}"
            auth: { basic: { username: exporter, password_env: PASSWORD } }
        """;

    private static ExporterConfiguration Parse(string yaml) =>
        ExporterConfiguration.Parse(yaml, environment: name => name == "PASSWORD" ? "swordfish" : null);
}
