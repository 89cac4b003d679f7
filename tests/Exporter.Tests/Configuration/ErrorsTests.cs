using System.Text;
using PipelineExporter.Configuration;

namespace PipelineExporter.Tests.Configuration;

public sealed class ErrorsTests
{
    private const string Fixtures = "tests/Exporter.Tests/Fixtures/configuration";

    [Fact]
    public void A_file_full_of_mistakes_gets_every_one_reported_in_the_order_of_its_lines()
    {
        var yaml = File.ReadAllBytes(Path.Combine(Golden.Root, Fixtures, "bad.yml"));

        var error = Assert.Throws<ConfigurationException>(
            () => ExporterConfiguration.Parse(yaml, "bad.yml", Path.Combine(Golden.Root, Fixtures), _ => null));

        Golden.Matches($"{Fixtures}/bad.expected.txt", error.Message + "\n");
        Assert.DoesNotContain("hunter2", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Each is one line in a file that is otherwise right, and exactly one error.</summary>
    [Theory]
    [InlineData("enviroment: x", "airflow[0].enviroment: unknown key; did you mean 'environment'?")]
    [InlineData("pol_interval: 30s", "airflow[0].pol_interval: unknown key; did you mean 'poll_interval'?")]
    [InlineData("url: https://b.example.com", "airflow[0].url: is given twice: first on line 3")]
    [InlineData("poll_interval: 30", "airflow[0].poll_interval: expected a duration such as 30s, 1h30m or 35d, found '30'")]
    [InlineData("poll_interval: 30 s", "airflow[0].poll_interval: expected a duration such as 30s, 1h30m or 35d, found '30 s'")]
    [InlineData("poll_interval: -1s", "airflow[0].poll_interval: expected a duration such as 30s, 1h30m or 35d, found '-1s'")]
    [InlineData("poll_interval: 2d", "airflow[0].poll_interval: expected a duration from 1s to 1d, found '2d'")]
    [InlineData("poll_interval: [30s]", "airflow[0].poll_interval: expected a duration from 1s to 1d, found a list")]
    [InlineData("poll_interval:", "airflow[0].poll_interval: expected a duration from 1s to 1d, found nothing")]
    [InlineData("stale_after: 5s", "airflow[0].stale_after: expected at least poll_interval: every value would vanish before its successor comes")]
    [InlineData("series_limit: 1e6", "airflow[0].series_limit: expected a whole number from 1 to 10000000, found '1e6'")]
    [InlineData("series_limit: 0", "airflow[0].series_limit: expected a whole number from 1 to 10000000, found '0'")]
    [InlineData("allow_insecure_auth: yes", "airflow[0].allow_insecure_auth: expected true or false, found 'yes'")]
    [InlineData("labels: [a]", "airflow[0].labels: expected a mapping, found a list")]
    [InlineData("labels: { environment: x }", "airflow[0].labels.environment: is set by the source itself: choose another name than environment")]
    [InlineData("labels: { dag_id: x }", "airflow[0].labels.dag_id: is a label of the metrics themselves: choose another name")]
    [InlineData("labels: { instance: x }", "airflow[0].labels.instance: is a label of the metrics themselves: choose another name")]
    [InlineData("labels: { __x: x }", "airflow[0].labels.__x: names that begin with '__' belong to Prometheus: choose another")]
    [InlineData("labels: { a-b: x }", "airflow[0].labels.a-b: expected a label name: letters, digits and '_', not beginning with a digit, found 'a-b'")]
    [InlineData("labels: { a: }", "airflow[0].labels.a: expected text, found nothing")]
    [InlineData("labels: { a: 1, a: 2 }", "airflow[0].labels.a: is given twice: first on line 4")]
    [InlineData("auth: {}", "airflow[0].auth: needs one of basic, token, bearer, mwaa")]
    [InlineData("auth: none", "airflow[0].auth: expected a mapping of keys, found a single value")]
    [InlineData("auth: { bearer: { token: abc } }", "airflow[0].auth.bearer.token: secrets do not belong in this file: use token_file or token_env")]
    [InlineData("auth: { bearer: {} }", "airflow[0].auth.bearer: needs one of token_file, token_env")]
    [InlineData("auth: { bearer: { token_file: /nowhere/hunter2 } }", "airflow[0].auth.bearer.token_file: there is no such file")]
    [InlineData("auth: { bearer: { token_file: / } }", "airflow[0].auth.bearer.token_file: it names a directory, not a file")]
    [InlineData("auth: { bearer: { token_file: /dev/null } }", "airflow[0].auth.bearer.token_file: what it names is empty")]
    [InlineData("auth: { bearer: { token_file: /dev/zero } }", "airflow[0].auth.bearer.token_file: the file is larger than 64 KiB")]
    [InlineData("auth: { bearer: { token_env: hunter2 } }", "airflow[0].auth.bearer.token_env: this environment variable is not set")]
    [InlineData("auth: { bearer: { token_env: hunter-2 } }", "airflow[0].auth.bearer.token_env: expected the name of an environment variable: letters, digits and '_'")]
    [InlineData("auth: { basic: { username: u, password_env: SET, password_file: /etc/hostname } }", "airflow[0].auth.basic.password_env: only one of password_file, password_env can be given")]
    [InlineData("auth: { basic: { password_env: SET } }", "airflow[0].auth.basic.username: is required: text")]
    [InlineData("auth: { bearer: { token_env: SET }, basic: { username: u, password_env: SET } }", "airflow[0].auth.bearer: only one of basic, token, bearer, mwaa can be given, and basic is")]
    public void A_mistake_in_an_airflow_is_located_and_explained(string line, string expected) =>
        Assert.Equal($"exporter.yml:4: {expected}", Refused($"""
            airflow:
              - environment: production
                url: https://airflow.example.com
                {line}
            {(line.StartsWith("auth", StringComparison.Ordinal) ? "" : "    " + Auth)}
            """));

    /// <summary>Each is the third line of an Airflow of Amazon MWAA, and exactly one error.</summary>
    [Theory]
    [InlineData("url: https://a", "airflow[0].url: is not used with auth.mwaa, which asks AWS: the web server's address for links is external_url")]
    [InlineData("auth: { mwaa: { region: eu-west-1 } }", "airflow[0].auth.mwaa.name: is required: the name of an MWAA environment: at most 80 letters, digits, '_' and '-', the first a letter")]
    [InlineData("auth: { mwaa: { name: 9, region: eu-west-1 } }", "airflow[0].auth.mwaa.name: expected the name of an MWAA environment: at most 80 letters, digits, '_' and '-', the first a letter, found '9'")]
    [InlineData("auth: { mwaa: { name: x } }", "airflow[0].auth.mwaa.region: is required: an AWS region such as eu-west-1")]
    [InlineData("auth: { mwaa: { name: x, region: eu-west-1, external_id: abc } }", "airflow[0].auth.mwaa.external_id: has no effect without role_arn")]
    [InlineData("workers: {}", "airflow[0].workers: has nothing to collect: add cloudwatch")]
    [InlineData("workers: { cloudwatch: { namespace: X, cluster_dimension: C } }", "airflow[0].workers.cloudwatch.region: is required: an AWS region such as eu-west-1")]
    [InlineData("workers: { cloudwatch: { region: eu-west-1, namespace: X } }", "airflow[0].workers.cloudwatch: needs dimensions, cluster_dimension, or both: which of the namespace's metrics are this Airflow's?")]
    [InlineData("workers: { cloudwatch: { region: eu-west-1, namespace: X, cluster_dimension: C, dimensions: { C: x } } }", "airflow[0].workers.cloudwatch.cluster_dimension: 'C' has a fixed value in dimensions: it cannot be both")]
    [InlineData("workers: { cloudwatch: { region: eu-west-1, namespace: X, cluster_dimension: C, unit: per mille } }", "airflow[0].workers.cloudwatch.unit: expected percent or ratio, found 'per mille'")]
    [InlineData("workers: { cloudwatch: { region: eu-west-1, namespace: X, dimensions: { \":x\": y } } }", "airflow[0].workers.cloudwatch.dimensions.:x: expected the name of a CloudWatch dimension: 1 to 255 characters on one line, not beginning with ':'")]
    [InlineData("workers: { cloudwatch: { region: eu-west-1, namespace: X, cluster_dimension: C, external_id: abc } }", "airflow[0].workers.cloudwatch.external_id: has no effect without role_arn")]
    public void A_mistake_in_an_airflow_of_Amazon_is_located_and_explained(string line, string expected) =>
        Assert.Equal($"exporter.yml:3: {expected}", Refused($"""
            airflow:
              - environment: production
                {line}
            {(line.StartsWith("auth", StringComparison.Ordinal) ? "" : "    auth: { mwaa: { name: x, region: eu-west-1 } }")}
            """));

    [Fact]
    public void An_airflow_needs_a_url() =>
        Assert.Equal("exporter.yml:2: airflow[0].url: is required: an http or https URL such as https://airflow.example.com", Refused("""
            airflow:
              - environment: production
            """));

    [Theory]
    [InlineData("ftp://a", "expected an http or https URL such as https://airflow.example.com, found 'ftp://a'")]
    [InlineData("airflow", "expected an http or https URL such as https://airflow.example.com, found 'airflow'")]
    [InlineData("http:/airflow", "expected an http or https URL such as https://airflow.example.com, found 'http:/airflow'")]
    [InlineData("https://a b", "expected an http or https URL such as https://airflow.example.com, found 'https://a b'")]
    [InlineData("https://a:99999", "expected an http or https URL such as https://airflow.example.com, found 'https://a:99999'")]
    [InlineData("https://a?x=1", "expected an http or https URL such as https://airflow.example.com, without query and fragment")]
    [InlineData("https://u:hunter2@a", "expected an http or https URL such as https://airflow.example.com, without user and password")]
    [InlineData("https://a/api/v2", "expected the address of the web server: leave out what begins with /api/")]
    public void A_url_that_is_none_is_refused(string url, string expected) =>
        Assert.Equal($"exporter.yml:3: airflow[0].url: {expected}", Refused($"""
            airflow:
              - environment: production
                url: "{url}"
                {Auth}
            """));

    [Theory]
    [InlineData("account_id: 12345", "aws[0].account_id: expected the 12 digits of an AWS account, found '12345'")]
    [InlineData("role_arn: exporter", "aws[0].role_arn: expected the ARN of a role such as arn:aws:iam::123456789012:role/exporter, found 'exporter'")]
    [InlineData("external_id: abc", "aws[0].external_id: has no effect without role_arn")]
    [InlineData("glue: { jobs: music }", "aws[0].glue.jobs: expected a list, each item a name, in which * stands for any characters and ? for one, found a single value")]
    [InlineData("glue: { jobs: [] }", "aws[0].glue.jobs: expected a list, each item a name, in which * stands for any characters and ? for one, found an empty list")]
    [InlineData("glue: { jobs: [a, \"\"] }", "aws[0].glue.jobs[1]: expected a name, in which * stands for any characters and ? for one: 1 to 255 characters on one line")]
    [InlineData("glue: { jobs: [\"^a$\"] }", "aws[0].glue.jobs[0]: expected a name, in which * stands for any characters and ? for one, not a regular expression: '^a$'")]
    [InlineData("labels: { region: x }", "aws[0].labels.region: is set by the source itself: choose another name than account_id, region")]
    [InlineData("s3: { storage_interval: 30s }", "aws[0].s3.storage_interval: expected a duration from 60s to 1d, found '30s'")]
    [InlineData("max_usd_per_day: -1", "aws[0].max_usd_per_day: expected an amount of US dollars above 0, such as 2.50, found '-1'")]
    [InlineData("logs:", "aws[0].logs: is not supported by this version")]
    public void A_mistake_in_an_aws_source_is_located_and_explained(string line, string expected) =>
        Assert.Equal($"exporter.yml:3: {expected}", Refused($"""
            aws:
              - region: eu-west-1
                {line}
            {(line.StartsWith("glue", StringComparison.Ordinal) ? "" : "    glue: {}")}
            """));

    [Theory]
    [InlineData("", "1: names no source: add airflow, aws, or both")]
    [InlineData("# nothing\n---\n", "3: names no source: add airflow, aws, or both")]
    [InlineData("airflow: []\naws:\n", "1: names no source: add airflow, aws, or both")]
    [InlineData("- airflow\n", "1: expected a mapping of keys, found a list")]
    [InlineData("hello", "1: expected a mapping of keys, found a single value")]
    [InlineData("aws:\n- region: eu-west-1\n", "2: aws[0]: has nothing to collect: add glue, s3, dynamodb, or several of them")]
    [InlineData("aws:\n- region: Dublin\n  glue: {}", "2: aws[0].region: expected an AWS region such as eu-west-1, found 'Dublin'")]
    [InlineData("aws:\n- eu-west-1\n", "2: aws[0]: expected a mapping of keys, found a single value")]
    [InlineData("aws: { region: eu-west-1 }\n", "1: aws: expected a list: begin each item with '- ', found a mapping")]
    [InlineData("aws:\n- { region: eu-west-1, glue: }\n- { region: eu-west-1, glue: }", "3: aws[1].name: 'eu-west-1' is taken by aws[0]: each needs a name of its own")]
    [InlineData("aws:\n- { region: eu-west-1, glue: }\n- { name: b, region: eu-west-1, glue: }",
        "3: aws[1]: 'b' is of the same account and region as 'eu-west-1': make one entry of both (aws[0], line 2)")]
    [InlineData("aws:\n- { region: eu-west-2, glue: }\n- { name: a, region: eu-west-1, account_id: 123456789012, glue: }\n- { name: b, region: eu-west-1, role_arn: \"arn:aws:iam::123456789012:role/x\", s3: }",
        "4: aws[2]: 'b' is of the same account and region as 'a': make one entry of both (aws[1], line 3)")]
    [InlineData("aws:\n- { region: eu-west-1, glue: , role_arn: \"arn:aws:iam::123456789012:role/x\",\n    account_id: 210987654321 }",
        "3: aws[0].account_id: expected 123456789012, the account of role_arn, found '210987654321'")]
    [InlineData("aws:\n- { region: eu-west-1, glue: }\n? [a]\n: b\n", "3: expected a key, found a list")]
    [InlineData("aws:\n- { region: eu-west-1, glue: }\n<<: x\n", "3: <<: expected a mapping or a list of mappings to merge, found a single value")]
    public void A_mistake_in_the_file_as_a_whole_is_located_and_explained(string yaml, string expected) =>
        Assert.Equal($"exporter.yml:{expected}", Refused(yaml));

    [Theory]
    [InlineData("cloudwatch")]
    [InlineData("data_quality")]
    [InlineData("prices")]
    public void A_key_of_a_later_version_is_refused_rather_than_ignored(string key) =>
        Assert.Equal($"exporter.yml:3: {key}: is not supported by this version", Refused($"""
            aws:
              - {Inline}
            {key}:
            """));

    [Theory]
    [InlineData("airflow:\n  - environment: \"x\n", "2: is not YAML: While scanning a quoted scalar, found unexpected end of stream")]
    [InlineData("a: b\n c: d\n", "2: is not YAML: While scanning a plain scalar value, found invalid mapping")]
    [InlineData("a: {x: 1\nb: 2", "1: is not YAML: what follows cannot be understood")]
    [InlineData("a:\n\tb: c\n", "1: is not YAML: While scanning a mapping, found invalid tab as indentation")]
    [InlineData("a: b\n---\nc: d\n", "2: a second document begins here: the file holds one")]
    [InlineData("a: *b\n", "1: *b names no anchor above it; a value that begins with * must be quoted")]
    [InlineData("a: &a [*a]\n", "1: *a names no anchor above it; a value that begins with * must be quoted")]
    [InlineData("a: !secret b\n", "1: tags mean nothing here; a value that begins with ! must be quoted")]
    [InlineData("a: 1\nb: \u0000\nc: 1\n", "2: holds the control character U+0000")]
    public void Malformed_yaml_is_one_line_with_its_place(string yaml, string expected) =>
        Assert.Equal($"exporter.yml:{expected}", Refused(yaml));

    [Fact]
    public void Bytes_that_are_not_utf8_are_one_line_with_their_place()
    {
        var error = Assert.Throws<ConfigurationException>(
            () => ExporterConfiguration.Parse([.. "a: b\nc: "u8, 0xff, .. "\n"u8], "exporter.yml", "/", _ => null));

        Assert.Equal("exporter.yml:2: is not UTF-8 text: byte 0xff does not belong here", error.Message);
        Assert.Equal(4, Assert.Single(error.Errors).Column);
    }

    [Fact]
    public void Names_from_the_file_cannot_break_out_of_their_line()
    {
        var message = Refused($"aws:\n- {Inline}\n\"a\\nb\\e[31m\": x\n");

        Assert.Equal(@"exporter.yml:3: a\u{a}b\u{1b}[31m: unknown key: allowed are airflow, aws, thresholds, web, state", message);
    }

    [Fact]
    public void A_hundred_errors_are_enough()
    {
        var yaml = new StringBuilder("aws:\n");
        for (var i = 0; i < 150; i++)
            yaml.Append("- x\n");

        var errors = Assert.Throws<ConfigurationException>(() => ExporterConfiguration.Parse(yaml.ToString())).Errors;

        Assert.Equal(101, errors.Length);
        Assert.Equal("50 more errors follow", errors[^1].Message);
    }

    [Fact]
    public void A_document_without_bottom_is_refused() =>
        Assert.Equal("exporter.yml:1: is nested deeper than 32 levels", Refused(new string('[', 200_000)));

    [Fact]
    public void A_billion_laughs_are_refused_before_they_are_told()
    {
        var yaml = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (var i = 1; i < 20; i++)
            yaml.Append($"a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 10))}]\n");

        Assert.Matches(@"^exporter\.yml:\d+: holds more than 100000 values once its aliases are followed$", Refused(yaml.ToString()));
    }

    [Fact]
    public void Merge_keys_cannot_multiply_without_end()
    {
        var yaml = new StringBuilder("a: &a {");
        for (var i = 0; i < 10_000; i++)
            yaml.Append($"k{i}: x, ");
        yaml.Append("}\nb:\n");
        for (var i = 0; i < 50_000; i++)
            yaml.Append("- <<: *a\n");

        Assert.Matches(@"^exporter\.yml:\d+: merges more than 100000 values$", Refused(yaml.ToString()));
    }

    [Fact]
    public void A_file_larger_than_any_configuration_is_refused() =>
        Assert.Equal("exporter.yml: is larger than 1024 KiB, which no configuration needs", Refused(new string('#', 1024 * 1024 + 1)));

    private const string Auth = "auth: { bearer: { token_env: SET } }";
    private const string Inline = "{ region: eu-west-1, glue: {} }";

    /// <summary>The error, which must be the only one.</summary>
    private static string Refused(string yaml)
    {
        var error = Assert.Throws<ConfigurationException>(
            () => ExporterConfiguration.Parse(yaml, "exporter.yml", name => name == "SET" ? "hunter2" : null));
        Assert.Single(error.Errors);
        Assert.DoesNotContain("hunter2", error.Message, StringComparison.Ordinal);
        return error.Message;
    }
}
