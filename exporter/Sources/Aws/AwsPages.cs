namespace PipelineExporter.Sources.Aws;

/// <summary>Follows NextToken from page to page, and notices a server that never comes to an end.</summary>
internal sealed class AwsPages(AwsService service, string operation)
{
    private const int MostPages = 1000;

    private int pages;

    /// <summary>Null for the first page.</summary>
    public string? NextToken { get; private set; }

    public bool More => NextToken is not null;

    /// <summary>Notes the token of the page just read.</summary>
    /// <exception cref="AwsException">It is the same as before, or one too many.</exception>
    public void Read(string? nextToken)
    {
        nextToken = string.IsNullOrEmpty(nextToken) ? null : nextToken;
        if (nextToken is not null && (nextToken == NextToken || ++pages == MostPages))
            throw AwsException.Malformed(service, operation, $"its pages do not end: page {pages + 1} leads nowhere");
        NextToken = nextToken;
    }
}
