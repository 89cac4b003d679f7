using PipelineExporter.Simulator.Aws;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class AwsCredentialsTests
{
    static readonly DateTimeOffset End = new(2026, 11, 23, 12, 0, 0, TimeSpan.Zero);
    readonly AwsCredentials credentials = new();

    [Fact]
    public void Knows_the_public_key() => Assert.Equal("simulator-secret", credentials.Find("SIMULATOR", null)!.SecretAccessKey);

    [Theory]
    [InlineData("simulator", null)]
    [InlineData("AKIDEXAMPLE", null)]
    [InlineData("SIMULATOR", "token")]
    [InlineData("SIMULATOR", "")]
    [InlineData("SIMULATOR", "a.b")]
    [InlineData("SIMULATOR", "a.b.c")]
    public void Knows_no_other(string key, string? token) => Assert.Null(credentials.Find(key, token));

    [Fact]
    public void Knows_what_it_issued_also_after_a_restart()
    {
        var issued = Issue("exporter");

        var found = new AwsCredentials().Find(issued.AccessKeyId, issued.SessionToken);

        Assert.Equal(new AwsPrincipal(issued.SecretAccessKey, "arn:aws:sts::123456789012:assumed-role/reader/exporter", issued.UserId, End), found);
    }

    [Fact]
    public void Sessions_share_nothing()
    {
        var one = Issue("one");
        var two = Issue("two");

        Assert.NotEqual(one.AccessKeyId, two.AccessKeyId);
        Assert.NotEqual(one.SecretAccessKey, two.SecretAccessKey);
        Assert.Null(credentials.Find(one.AccessKeyId, two.SessionToken));
    }

    [Fact]
    public void Refuses_temporary_keys_without_or_with_an_altered_token()
    {
        var issued = Issue("exporter");
        var altered = (issued.SessionToken[0] == 'A' ? 'B' : 'A') + issued.SessionToken[1..];

        Assert.Null(credentials.Find(issued.AccessKeyId, null));
        Assert.Null(credentials.Find(issued.AccessKeyId, altered));
    }

    [Theory]
    [InlineData(20, 20)]
    [InlineData(7200, 3600)]
    public void Can_be_made_to_live_shorter_than_asked_for(int longest, int seconds) => Assert.Equal(
        End.AddHours(-1).AddSeconds(seconds),
        new AwsCredentials(TimeSpan.FromSeconds(longest)).Issue("123456789012", "reader", "x", End.AddHours(-1), TimeSpan.FromHours(1)).Session.Expiration);

    TemporaryCredentials Issue(string name) => credentials.Issue("123456789012", "reader", name, End.AddHours(-1), TimeSpan.FromHours(1));
}
