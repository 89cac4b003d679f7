namespace PipelineExporter.Simulator; static class Placeholder;
