namespace PipelineExporter.Sources;

/// <summary>An error of a source whose message is complete and holds no secret: its stack adds nothing.</summary>
internal interface ISourceException;
