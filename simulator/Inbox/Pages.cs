using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PipelineExporter.Simulator.Aws;
using PipelineExporter.Simulator.Control;

namespace PipelineExporter.Simulator.Inbox;

/// <summary>The simulator's pages for people: where everything is, what to break, and what arrived.</summary>
internal static partial class Pages
{
    /// <summary>Starts and ends incidents and clears inboxes over the JSON API, then shows the page anew.</summary>
    const string Script =
        """
        for (const button of document.querySelectorAll('button[data-method]')) {
          button.addEventListener('click', async () => {
            button.disabled = true;
            await fetch(button.dataset.path, {
              method: button.dataset.method,
              headers: { 'Content-Type': 'application/json' },
              body: button.dataset.body,
            });
            location.reload();
          });
        }
        """;

    /// <param name="smtp">Where mail is taken; null when it is not.</param>
    public static void MapPages(
        this IEndpointRouteBuilder routes, Inbox<Mail> mail, Inbox<SlackMessage> slack, IncidentLog incidents, IPEndPoint? smtp)
    {
        routes.MapGet("/", context => Html.WritePageAsync(context, "Pipeline simulator", Index(context.Request, mail, slack, incidents, smtp)));
        routes.MapGet("/inbox", context => Html.WritePageAsync(context, "Inbox", InboxPage(mail, slack)));
        routes.MapGet("/inbox/mail/{id:int}", context => Find(context, mail) is { } found
            ? Html.WritePageAsync(context, found.Subject, MailPage(found))
            : NotFound(context));
        routes.MapGet("/inbox/mail/{id:int}.html", context => Find(context, mail) is { Html: { } html }
            ? WriteForeignAsync(context, html)
            : NotFound(context));
        routes.MapGet("/simulator/page.js", context =>
        {
            context.Response.ContentType = "text/javascript; charset=utf-8";
            return context.Response.WriteAsync(Script, context.RequestAborted);
        });
    }

    static string Index(HttpRequest request, Inbox<Mail> mail, Inbox<SlackMessage> slack, IncidentLog incidents, IPEndPoint? smtp)
    {
        var origin = Html.Encode($"{request.Scheme}://{request.Host}");
        var rows = new StringBuilder();
        foreach (var area in IncidentKind.All.GroupBy(kind => kind.Area))
        {
            rows.Append($"<tr><th colspan=\"5\">{Html.Encode(area.Key)}</th></tr>\n");
            foreach (var kind in area)
            {
                var since = incidents.Named(kind.Name).FirstOrDefault(incident => incident.End is null)?.Start;
                var state = since is { } start ? $"""<span class="on">on</span> since {Html.Time(start)}""" : "off";
                var button = since is null
                    ? Button("Start", "POST", "/simulator/incidents", $$"""{"name": "{{kind.Name}}"}""")
                    : Button("End", "DELETE", $"/simulator/incidents/{kind.Name}");
                rows.Append($"<tr><th>{Html.Encode(kind.Name)}</th><td>{Html.Encode(kind.Description)}</td>")
                    .Append($"<td>{Html.Encode(kind.Alert)}</td><td>{state}</td><td>{button}</td></tr>\n");
            }
        }

        return $"""
            <h1>Pipeline simulator</h1>
            <table>
            <tr><th>Airflow 2.11</th><td><code>{origin}/airflow2</code></td><td>REST v1, basic auth: exporter / simulator-password</td></tr>
            <tr><th>Airflow 3.3</th><td><code>{origin}/airflow3</code></td><td>REST v2, token from POST /airflow3/auth/token</td></tr>
            <tr><th>AWS</th><td><code>{origin}/</code></td>
            <td>{AwsCredentials.Region}: access key {AwsCredentials.AccessKeyId}, secret {AwsCredentials.SecretAccessKey}</td></tr>
            <tr><th>Slack webhook</th><td><code>{origin}/simulator/slack</code></td><td><a href="/inbox#slack">{slack.All.Length} messages</a></td></tr>
            <tr><th>Mail (SMTP)</th><td>{(smtp is null ? "off" : $"<code>{smtp}</code>")}</td><td><a href="/inbox#mail">{mail.All.Length} mails</a></td></tr>
            </table>
            <h2>Incidents</h2>
            <table>
            {rows}</table>
            """;
    }

    static string InboxPage(Inbox<Mail> mail, Inbox<SlackMessage> slack)
    {
        var page = new StringBuilder("""<h1>Inbox</h1><h2 id="mail">Mail</h2>""");
        var mails = mail.All;
        page.Append(mails.IsEmpty ? "<p>No mail.</p>" : "<table><tr><th>Received</th><th>To</th><th>Subject</th></tr>\n");
        foreach (var received in mails.Reverse())
            page.Append($"""<tr><td>{Html.Time(received.ReceivedAt)}</td><td>{Html.Encode(string.Join(", ", received.Envelope.To))}</td>""")
                .Append($"""<td><a href="/inbox/mail/{received.Id}">{Html.Encode(Subject(received))}</a></td></tr>""").Append('\n');
        if (!mails.IsEmpty)
            page.Append($"</table><p>{Button("Clear mail", "DELETE", "/simulator/inbox/mail")}</p>");

        page.Append("""<h2 id="slack">Slack</h2>""");
        var messages = slack.All;
        foreach (var message in messages.Reverse())
            page.Append(SlackHtml.Render(message));
        page.Append(messages.IsEmpty ? "<p>No messages.</p>" : $"<p>{Button("Clear Slack", "DELETE", "/simulator/inbox/slack")}</p>");
        return page.ToString();
    }

    static string MailPage(Mail mail)
    {
        var page = new StringBuilder($"<h1>{Html.Encode(Subject(mail))}</h1><table>\n")
            .Append($"<tr><th>Received</th><td>{Html.Time(mail.ReceivedAt)}</td></tr>\n");
        foreach (var header in mail.Headers)
            page.Append($"<tr><th>{Html.Encode(header.Name)}</th><td>{Html.Encode(header.Value)}</td></tr>\n");
        page.Append("</table>");
        if (mail.Html is not null)
            page.Append("""<h2>HTML</h2><iframe sandbox="allow-popups allow-popups-to-escape-sandbox" """)
                .Append($"""src="/inbox/mail/{mail.Id}.html" title="The mail as HTML"></iframe>""");
        if (mail.Text is not null)
            page.Append($"<h2>Text</h2><pre>{Html.Encode(mail.Text)}</pre>");
        return page.ToString();
    }

    /// <summary>HTML that somebody sent: it may look, and link to a new window, but neither run nor load anything.</summary>
    static Task WriteForeignAsync(HttpContext context, string html)
    {
        context.Response.Headers.ContentSecurityPolicy =
            "sandbox allow-popups allow-popups-to-escape-sandbox; " +
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        context.Response.ContentType = "text/html; charset=utf-8";
        const string NewWindow = """<base target="_blank">""";
        var head = Head().Match(html);
        return context.Response.WriteAsync(
            head.Success ? html.Insert(head.Index + head.Length, NewWindow) : NewWindow + html, context.RequestAborted);
    }

    static Mail? Find(HttpContext context, Inbox<Mail> mail) =>
        mail.All.FirstOrDefault(received => received.Id.ToString() == (string?)context.GetRouteValue("id"));

    static Task NotFound(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status404NotFound;
        return Html.WritePageAsync(context, "Not found", "<p>There is no such mail; the inbox keeps the last ones, until it is cleared.</p>");
    }

    static string Subject(Mail mail) => mail.Subject.Length > 0 ? mail.Subject : "(no subject)";

    static string Button(string text, string method, string path, string? body = null)
    {
        var data = body is null ? "" : $" data-body=\"{Html.Encode(body)}\"";
        return $"""<button data-method="{method}" data-path="{Html.Encode(path)}"{data}>{text}</button>""";
    }

    [GeneratedRegex("<head[^>]*>", RegexOptions.IgnoreCase)]
    private static partial Regex Head();
}
