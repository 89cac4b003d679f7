namespace PipelineExporter.Configuration;

/// <summary>"Did you mean": the known word that a mistyped one was probably meant to be.</summary>
internal static class Suggestion
{
    /// <summary>The nearest of <paramref name="known"/>, or null when none is near enough to be worth showing.</summary>
    public static string? For(string word, IEnumerable<string> known)
    {
        const int longest = 64;
        if (word.Length is 0 or > longest)
        {
            return null;
        }

        // Three letters apart at most, and never more than a third of the word: "url" is no typing error for "web".
        return known
            .Select(candidate => (candidate, distance: Distance(word.ToLowerInvariant(), candidate)))
            .Where(x => x.distance <= Math.Clamp(Math.Max(word.Length, x.candidate.Length) / 3, 1, 3)
                || (word.Length >= 4 && x.candidate.StartsWith(word, StringComparison.OrdinalIgnoreCase)))
            .OrderBy(x => x.distance)
            .ThenBy(x => x.candidate, StringComparer.Ordinal)
            .Select(x => x.candidate)
            .FirstOrDefault();
    }

    /// <summary><c>; did you mean 'x'?</c>, or nothing.</summary>
    public static string Hint(string word, IEnumerable<string> known) =>
        For(word, known) is { } suggestion ? $"; did you mean '{suggestion}'?" : "";

    /// <summary>Edits from one word to the other; two swapped neighbours are one edit.</summary>
    private static int Distance(string a, string b)
    {
        var cost = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    cost[i, j] = i + j;
                    continue;
                }

                var same = a[i - 1] == b[j - 1] ? 0 : 1;
                cost[i, j] = Math.Min(Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1, cost[i - 1, j - 1] + same);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
                }
            }
        }

        return cost[a.Length, b.Length];
    }
}
