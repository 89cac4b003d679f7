using PipelineExporter.Configuration;

namespace PipelineExporter.Tests.Configuration;

public sealed class SecretTests : IDisposable
{
    private readonly string file = Path.GetTempFileName();

    public void Dispose() => File.Delete(file);

    [Theory]
    [InlineData("swordfish", "swordfish")]
    [InlineData("swordfish\n", "swordfish")]
    [InlineData("swordfish\r\n", "swordfish")]
    [InlineData(" sword fish ", " sword fish ")]
    [InlineData("pässwört\n", "pässwört")]
    public void One_closing_newline_is_not_part_of_it(string content, string expected)
    {
        File.WriteAllText(file, content);

        Assert.Equal(expected, Secret.FromFile("password_file", file).Read());
    }

    [Theory]
    [InlineData("", "password_file: what it names is empty")]
    [InlineData("\n", "password_file: what it names is empty")]
    [InlineData("a\nb\n", "password_file: what it names is more than one line of text")]
    [InlineData("a\n\n", "password_file: what it names is more than one line of text")]
    public void What_cannot_be_a_secret_is_refused_without_showing_it(string content, string expected)
    {
        File.WriteAllText(file, content);

        Assert.Equal(expected, Assert.Throws<SecretException>(() => Secret.FromFile("password_file", file).Read()).Message);
    }

    [Fact]
    public void A_file_that_is_no_text_is_refused()
    {
        File.WriteAllBytes(file, [0x61, 0xff]);

        Assert.Equal("password_file: the file is not UTF-8 text",
            Assert.Throws<SecretException>(() => Secret.FromFile("password_file", file).Read()).Message);
    }

    [Fact]
    public void A_rotated_secret_is_seen_at_the_next_read()
    {
        File.WriteAllText(file, "old");
        var secret = Secret.FromFile("password_file", file);
        Assert.Equal("old", secret.Read());

        File.WriteAllText(file, "new");
        Assert.Equal("new", secret.Read());

        File.Delete(file);
        Assert.Equal("password_file: there is no such file", Assert.Throws<SecretException>(secret.Read).Message);
    }

    [Fact]
    public void It_never_says_itself()
    {
        File.WriteAllText(file, "swordfish");

        Assert.Equal("<secret>", $"{Secret.FromFile("password_file", file)}");
        Assert.Equal("<secret>", $"{Secret.FromEnvironment("password_env", () => "swordfish")}");
    }
}
