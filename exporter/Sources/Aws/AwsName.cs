namespace PipelineExporter.Sources.Aws;

/// <summary>What AWS calls its things, as far as it may become a label.</summary>
internal static class AwsName
{
    private const int LongestWord = 64;
    private const int LongestName = 255;

    /// <summary>Whether it can be the name or id of a resource.</summary>
    public static bool IsSound(string? name) => name is { Length: > 0 and <= LongestName } && !name.Any(char.IsControl);

    /// <summary>A value of an enumeration, which AWS may add to at any time: as it is if it is a word.</summary>
    public static string Word(string? value) =>
        value is { Length: > 0 and <= LongestWord } && value.All(character => char.IsAsciiLetterOrDigit(character) || character is '_' or '-') ? value : "other";
}
