namespace PipelineExporter.Sources;

/// <summary>A source told only a part of what it was asked for.</summary>
/// <param name="message">What is missing and why, complete and without secrets.</param>
internal sealed class SourceIncompleteException(string message, Exception first) : Exception(message, first), ISourceException;
