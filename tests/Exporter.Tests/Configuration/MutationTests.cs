using System.Text;
using CsCheck;
using PipelineExporter.Configuration;

namespace PipelineExporter.Tests.Configuration;

public sealed class MutationTests
{
    private const string Valid = """
        airflow: # the one in Dublin
          - &base
            environment: "production"
            url: 'https://airflow.example.com'
            auth: { basic: { username: exporter, password_env: PASSWORD } }
            labels: { team: data }
            poll_interval: 30s
          - <<: *base
            environment: staging
            lookback: |-
              1h
        aws:
          - region: eu-west-1
            account_id: 123456789012
            glue: { jobs: ["music_streaming_*", other] }
        state: { key_retention: 35d }
        """;

    private static readonly string[] Pieces =
    [
        "{", "}", "[", "]", ":", ": ", "- ", "\n", "\n  ", "\t", "\"", "'", "&a ", "*a", "*base", "!x ", "!!map ", "%", "@", "`", "|", ">-", "?", "? ",
        "#", " #", ",", "~", "null", "<<: ", "---\n", "...\n", "\\", "\\x", "\u0085", "\u2028", "\ud7ff", "é", "1", "-1", "0", "environment", "airflow:",
    ];

    /// <summary>Cut, insert, overwrite a byte, repeat a part: what editors, templates and merges do to a file.</summary>
    private static readonly Gen<Func<byte[], byte[]>> Mutation = Gen.Select(Gen.Int[0, 3], Gen.Double.Unit, Gen.Int[1, 12], Gen.Byte, Gen.Int[0, Pieces.Length - 1])
        .Select<(int Kind, double Where, int Length, byte Value, int Piece), Func<byte[], byte[]>>(m => bytes =>
        {
            var at = (int)(m.Where * bytes.Length);
            var end = Math.Min(bytes.Length, at + m.Length);
            return m.Kind switch
            {
                0 => [.. bytes[..at], .. bytes[end..]],
                1 => [.. bytes[..at], .. Encoding.UTF8.GetBytes(Pieces[m.Piece]), .. bytes[at..]],
                2 => [.. bytes[..at], m.Value, .. bytes[Math.Min(bytes.Length, at + 1)..]],
                _ => [.. bytes[..end], .. bytes[at..]],
            };
        });

    [Fact]
    public void A_damaged_file_is_either_understood_or_refused_with_located_lines() =>
        Mutation.Array[1, 6].Sample(
            mutations =>
            {
                var yaml = mutations.Aggregate(Encoding.UTF8.GetBytes(Valid), (bytes, mutate) => mutate(bytes));
                try
                {
                    var configuration = ExporterConfiguration.Parse(yaml, "exporter.yml", "/", name => name == "PASSWORD" ? "hunter2" : null);
                    Assert.True(configuration.Airflow.Length + configuration.Aws.Length > 0);
                    Assert.All(configuration.Airflow, a => Assert.True(a is { Environment: not null, Url: not null }));
                    Assert.All(configuration.Aws, a => Assert.True(a is { Name: not null, Region: not null, Glue: not null }));
                }
                catch (ConfigurationException e)
                {
                    var lines = yaml.Count(b => b is (byte)'\n' or (byte)'\r') + 2 + Encoding.UTF8.GetString(yaml).Count(c => c is '\u0085' or '\u2028');
                    Assert.NotEmpty(e.Errors);
                    Assert.All(e.Errors, error => Assert.InRange(error.Line, 1, lines));
                    Assert.Equal(e.Errors.OrderBy(x => x.Line), e.Errors);
                    Assert.All(e.Message.Split('\n'), line => Assert.Matches(@"^exporter\.yml:\d+: [^\p{Cc}]+$", line));
                    Assert.Equal(e.Errors.Length, e.Message.Split('\n').Length);
                    Assert.DoesNotContain("hunter2", e.Message, StringComparison.Ordinal);
                }
            },
            iter: 5_000);

    [Fact]
    public void The_file_that_is_damaged_was_right_before() =>
        Assert.Equal(2, ExporterConfiguration.Parse(Valid, environment: _ => "x").Airflow.Length);
}
