using PipelineExporter.Commands;

return await CommandLine.InvokeAsync(
    args,
    [
        Run.Command(),
#if WITH_SIMULATOR
        Demo.Command(),
#endif
        CheckConfig.Command(),
        Cost.Command(),
    ],
    Console.Out,
    Console.Error);
