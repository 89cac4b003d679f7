namespace PipelineExporter.Configuration;

/// <summary>What a single value may be.</summary>
/// <param name="Name">One word or two, for the reference.</param>
/// <param name="Expected">What is allowed, for messages: "a duration such as 30s".</param>
/// <param name="Parse">Throws <see cref="FormatException"/> with the whole message, which never echoes what may be a secret.</param>
internal sealed record ValueType<T>(string Name, string Expected, Func<string, T> Parse);
