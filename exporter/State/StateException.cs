namespace PipelineExporter.State;

/// <summary>The state file cannot be used. The message says which file, what is wrong and what to do.</summary>
internal sealed class StateException(string message, Exception? inner = null) : Exception(message, inner);
