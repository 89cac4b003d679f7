using CsCheck;
using PipelineExporter.Configuration;

namespace PipelineExporter.Tests.Configuration;

public sealed class ValuesTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("30s", 30)]
    [InlineData("1h30m", 5400)]
    [InlineData("35d", 35 * 86400)]
    [InlineData("1w2d", 9 * 86400)]
    [InlineData("1y", 365 * 86400)]
    [InlineData("1500ms", 1.5)]
    [InlineData("90m", 5400)]
    [InlineData("0s", 0)]
    public void Durations_read_as_prometheus_writes_them(string text, double seconds)
    {
        Assert.True(PrometheusDuration.TryParse(text, out var value));
        Assert.Equal(seconds, value.TotalSeconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("30")]
    [InlineData("s")]
    [InlineData("1.5h")]
    [InlineData("-1s")]
    [InlineData("1m1h")]
    [InlineData("1s1s")]
    [InlineData("1S")]
    [InlineData(" 1s")]
    [InlineData("1s\n")]
    [InlineData("00:30")]
    [InlineData("١s")]
    [InlineData("999999999999y")]
    [InlineData("99999999999999999999s")]
    public void What_prometheus_would_refuse_is_no_duration(string text) => Assert.False(PrometheusDuration.TryParse(text, out _));

    [Theory]
    [InlineData("music_streaming_*", "music_streaming_validation", true)]
    [InlineData("music_streaming_*", "music_streaming_", true)]
    [InlineData("music_streaming_*", "my_music_streaming_x", false)]
    [InlineData("*", "", true)]
    [InlineData("*load", "music_load", true)]
    [InlineData("*load", "music_loads", false)]
    [InlineData("*a*b*", "xxaxxbxx", true)]
    [InlineData("a?c", "abc", true)]
    [InlineData("a?c", "ac", false)]
    [InlineData("a.c", "abc", false)]
    [InlineData("Job", "job", false)]
    [InlineData("exact", "exact", true)]
    public void Patterns_match_whole_names(string pattern, string name, bool matches) =>
        Assert.Equal(matches, Pattern.Parse(pattern).IsMatch(name));

    [Fact]
    public void A_pattern_agrees_with_the_regular_expression_it_stands_for() =>
        Gen.Select(Gen.Char["ab*?"].Array[1, 8], Gen.Char["ab"].Array[0, 12]).Sample((p, n) =>
        {
            var (pattern, name) = (new string(p), new string(n));
            var regex = pattern.Replace("*", ".*", StringComparison.Ordinal).Replace('?', '.');
            return Pattern.Parse(pattern).IsMatch(name) == System.Text.RegularExpressions.Regex.IsMatch(name, $@"\A{regex}\z");
        });

    [Fact]
    public void A_malicious_pattern_takes_no_longer_than_an_honest_one() =>
        Assert.False(Pattern.Parse(string.Concat(Enumerable.Repeat("*a", 100)) + "b").IsMatch(new string('a', 255)));

    [Theory]
    [InlineData("enviroment", "environment")]
    [InlineData("Environment", "environment")]
    [InlineData("evnironment", "environment")]
    [InlineData("env", null)]
    [InlineData("envi", "environment")]
    [InlineData("ulr", "url")]
    [InlineData("uri", "url")]
    [InlineData("aws", null)]
    [InlineData("x", null)]
    public void The_nearest_known_word_is_suggested_if_it_is_near(string word, string? expected) =>
        Assert.Equal(expected, Suggestion.For(word, ["environment", "url", "labels", "poll_interval"]));
}
