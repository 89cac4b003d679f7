using PipelineExporter.Commands;

return await CommandLine.InvokeAsync(args, [Run.Command(), CheckConfig.Command()], Console.Out, Console.Error);
