using System.Collections.Immutable;

namespace PipelineExporter.Configuration;

/// <summary>One thing wrong in the configuration. <c>Line</c> is 1-based; 0 when the error is about the file as a whole.</summary>
internal sealed record ConfigurationError(string File, int Line, int Column, string Path, string Message)
{
    /// <summary><c>FILE:LINE: key.path: message</c>, always one line.</summary>
    public override string ToString() =>
        $"{File}:{(Line > 0 ? $"{Line}:" : "")}{(Path.Length > 0 ? $" {Path}:" : "")} {Message}";
}

/// <summary>The configuration cannot be used. Holds every error, ordered by line; the message has each on a line of its own.</summary>
internal sealed class ConfigurationException(ImmutableArray<ConfigurationError> errors) : Exception(string.Join('\n', errors))
{
    public ImmutableArray<ConfigurationError> Errors { get; } = errors;
}

/// <summary>Collects what is wrong while one file is read.</summary>
internal sealed class ConfigurationErrors(string file)
{
    /// <summary>A broken generator can produce an error a line; nobody reads more than this.</summary>
    private const int Shown = 100;

    private readonly List<ConfigurationError> errors = [];

    public void Add(Position at, string path, string message) =>
        errors.Add(new(file, at.Line, at.Column, path, message));

    public void ThrowIfAny()
    {
        if (errors.Count == 0)
        {
            return;
        }

        var ordered = errors.OrderBy(e => e.Line).ThenBy(e => e.Column).ToList();
        if (ordered.Count > Shown)
        {
            var hidden = ordered.Count - Shown;
            ordered.RemoveRange(Shown, hidden);
            ordered.Add(ordered[^1] with { Path = "", Message = $"{hidden} more errors follow" });
        }

        throw new ConfigurationException([.. ordered]);
    }
}
