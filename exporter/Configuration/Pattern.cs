namespace PipelineExporter.Configuration;

/// <summary>A name, with <c>*</c> for any characters and <c>?</c> for exactly one. Case counts, as it does in AWS.</summary>
internal sealed class Pattern
{
    public const string Expected = "a name, in which * stands for any characters and ? for one";

    private readonly string text;

    private Pattern(string text) => this.text = text;

    /// <exception cref="FormatException">Empty, longer than any name, or a regular expression.</exception>
    public static Pattern Parse(string text)
    {
        if (text.Length is 0 or > 255 || text.Any(char.IsControl))
        {
            throw new FormatException($"expected {Expected}: 1 to 255 characters on one line");
        }

        return text.AsSpan().IndexOfAny(@"^$|\") < 0
            ? new Pattern(text)
            : throw new FormatException($"expected {Expected}, not a regular expression: {Printable.Quoted(text)}");
    }

    public bool IsMatch(string name)
    {
        // Two fingers and the last star to fall back to: linear for one star, never exponential.
        int p = 0, n = 0, star = -1, mark = 0;
        while (n < name.Length)
        {
            if (p < text.Length && text[p] == '*')
            {
                star = p++;
                mark = n;
            }
            else if (p < text.Length && (text[p] == '?' || text[p] == name[n]))
            {
                p++;
                n++;
            }
            else if (star >= 0)
            {
                p = star + 1;
                n = ++mark;
            }
            else
            {
                return false;
            }
        }

        return text.AsSpan(p).IndexOfAnyExcept('*') < 0;
    }

    public override string ToString() => text;
}
