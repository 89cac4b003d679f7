using Markdig;

namespace PipelineExporter.Web;

/// <summary>Serves prometheus/runbooks/*.md, which are built into the program, as pages: each alert links its own.</summary>
internal static class Runbooks
{
    private const string Prefix = "runbooks/";

    private static readonly MarkdownPipeline Markdown = new MarkdownPipelineBuilder().UsePipeTables().UseAutoLinks().DisableHtml().Build();

    public static IReadOnlyList<string> Names { get; } =
    [
        .. typeof(Runbooks).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(name => Path.GetFileNameWithoutExtension(name[Prefix.Length..]))
            .Order(StringComparer.Ordinal),
    ];

    public static IResult List() => Page.Html(
        "Runbooks", $"<h1>Runbooks</h1><ul>{string.Concat(Names.Select(name => $"""<li><a href="/runbooks/{name}">{name}</a></li>"""))}</ul>");

    public static IResult Show(string name)
    {
        // Runbooks link to each other by file, as they are read in the repository.
        if (name.EndsWith(".md", StringComparison.Ordinal))
            name = name[..^3];
        if (!Names.Contains(name))
        {
            return Page.Html(
                "No such runbook",
                $"""<h1>No runbook {Page.Text(name)}</h1><p>These exist: <a href="/runbooks/">runbooks</a>.</p>""",
                StatusCodes.Status404NotFound);
        }

        using var reader = new StreamReader(typeof(Runbooks).Assembly.GetManifestResourceStream($"{Prefix}{name}.md")!);
        return Page.Html(name, Markdig.Markdown.ToHtml(reader.ReadToEnd(), Markdown));
    }
}
