using System.Text.RegularExpressions;

namespace PipelineExporter.Tests.Sources.Airflow;

/// <summary>One request to a real Airflow and its answer: NAME.http holds the request and the head of the answer, NAME.json its body.</summary>
internal sealed partial record Recording(string Name, string Method, string Target, int Status, string ContentType, byte[] Body)
{
    public static string Root { get; } = System.IO.Path.Combine(AppContext.BaseDirectory, "Fixtures", "airflow");

    public string Path => Target.Split('?')[0];

    public static Recording Read(string name)
    {
        var head = File.ReadAllText(System.IO.Path.Combine(Root, name + ".http"));
        var request = RequestLine().Match(head);
        var status = StatusLine().Match(head);
        var type = TypeLine().Match(head);
        Assert.True(request.Success && status.Success, name);
        var body = System.IO.Path.Combine(Root, name + ".json");
        return new Recording(
            name,
            request.Groups["method"].Value,
            request.Groups["target"].Value,
            int.Parse(status.Groups["status"].Value),
            type.Success ? type.Groups["type"].Value : "",
            File.ReadAllBytes(body));
    }

    /// <summary>Every recording outside the time lines and sequences.</summary>
    public static IEnumerable<Recording> All() =>
        from file in Directory.EnumerateFiles(Root, "*.http", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        select Read(System.IO.Path.GetRelativePath(Root, file)[..^".http".Length]);

    [GeneratedRegex(@"^(?<method>GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (?<target>\S+)", RegexOptions.Multiline)]
    private static partial Regex RequestLine();

    [GeneratedRegex(@"^HTTP/1\.1 (?<status>\d{3})", RegexOptions.Multiline)]
    private static partial Regex StatusLine();

    [GeneratedRegex(@"^content-type: (?<type>.+?)\s*$", RegexOptions.Multiline | RegexOptions.IgnoreCase)]
    private static partial Regex TypeLine();
}
