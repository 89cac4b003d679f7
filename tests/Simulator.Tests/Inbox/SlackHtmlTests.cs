using System.Text.Json;
using PipelineExporter.Simulator.Inbox;

namespace PipelineExporter.Simulator.Tests.Inbox;

public sealed class SlackHtmlTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("*bold* and _italic_ and ~gone~", "<b>bold</b> and <i>italic</i> and <s>gone</s>")]
    [InlineData("music_streaming_validation 2*3*4", "music_streaming_validation 2*3*4")]
    [InlineData("a `b_c_` d", "a <code>b_c_</code> d")]
    [InlineData("```\n<x>\n```", "<pre>&lt;x&gt;</pre>")]
    [InlineData("one\ntwo", "one<br>\ntwo")]
    [InlineData("&lt;script&gt; &amp; &amp;lt;", "&lt;script&gt; &amp; &amp;lt;")]
    [InlineData("<http://x/?a=1&amp;b=2|run & *see*>", """<a href="http://x/?a=1&amp;b=2" rel="noreferrer">run &amp; *see*</a>""")]
    [InlineData("<https://x>", """<a href="https://x" rel="noreferrer">https://x</a>""")]
    [InlineData("<javascript:alert(1)|click>", "&lt;javascript:alert(1)|click&gt;")]
    [InlineData("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;")]
    [InlineData("<http://x/\"onclick=alert(1)|x>", """<a href="http://x/&quot;onclick=alert(1)" rel="noreferrer">x</a>""")]
    [InlineData("<!channel>", "<b>@channel</b>")]
    public void Slack_text_becomes_html_and_nothing_else_does(string text, string html) => Assert.Equal(html, SlackText.ToHtml(text));

    [Fact]
    public void An_attachment_shows_its_colour_title_fields_and_buttons()
    {
        var html = Render(
            """
            {"channel": "#data-pipeline-alerts", "username": "Alertmanager", "attachments": [{
              "color": "danger", "title": "[FIRING:1] PipelineFailure", "title_link": "http://am/#/alerts", "pretext": "before",
              "text": "dag *music*", "footer": "end", "fields": [{"title": "Since", "value": "12:00", "short": true}],
              "actions": [{"type": "button", "text": "Runbook", "url": "http://exporter/runbooks/x"}, {"type": "button", "text": "Bad", "url": "javascript:x"}]}]}
            """);

        Assert.All(
            [
                "<b>#data-pipeline-alerts</b> Alertmanager", """<div class="attachment danger">""", "<div>before</div>",
                """<a href="http://am/#/alerts" rel="noreferrer"><b>[FIRING:1] PipelineFailure</b></a>""", "<div>dag <b>music</b></div>",
                "<b>Since</b><br>12:00", """<a class="button" href="http://exporter/runbooks/x" rel="noreferrer">Runbook</a>""",
                """<span class="button">Bad</span>""", "<div>end</div>",
            ],
            expected => Assert.Contains(expected, html, StringComparison.Ordinal));
    }

    [Fact]
    public void Blocks_are_shown()
    {
        var html = Render(
            """
            {"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "Head"}}, {"type": "divider"},
              {"type": "section", "text": {"type": "mrkdwn", "text": "*s*"}, "fields": [{"type": "mrkdwn", "text": "f"}]},
              {"type": "context", "elements": [{"type": "mrkdwn", "text": "c"}]},
              {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Go"}, "url": "https://go"}]},
              {"type": "<odd>"}]}
            """);

        Assert.All(
            ["<h3>Head</h3>", "<hr>", "<div><b>s</b></div>", "<div>f</div>", "<div>c</div>", """href="https://go" rel="noreferrer">Go</a>""", "[&lt;odd&gt;]"],
            expected => Assert.Contains(expected, html, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{"text": 5, "channel": {}, "attachments": [5, null, {"title": [], "fields": [1], "actions": "x"}], "blocks": ["x", {"type": "section", "text": 1}]}""")]
    [InlineData("""{"attachments": {"a": 1}, "blocks": 7}""")]
    public void Members_of_other_types_are_passed_over(string payload) => Assert.StartsWith("<div class=\"message\"", Render(payload), StringComparison.Ordinal);

    static string Render(string payload) => SlackHtml.Render(
        new SlackMessage(1, DateTimeOffset.UnixEpoch, "/simulator/slack", JsonDocument.Parse(payload).RootElement));
}
