using PipelineExporter.Benchmarks;

return args switch
{
    ["core"] => await CoreBenchmark.RunAsync(),
    ["state"] => StateBenchmark.Run(),
    ["demo", .. var program] when program.Length <= 1 => await DemoBenchmark.RunAsync(program.FirstOrDefault()),
    ["airflow", .. var program] when program.Length <= 1 => await AirflowBenchmark.RunAsync(program.FirstOrDefault()),
    ["cloudwatch", var part, .. var program] when program.Length <= 1 && (part is "tables" or "interval" or "buckets" || int.TryParse(part, out _)) => await CloudWatchBenchmark.RunAsync(program.FirstOrDefault(), part),
    ["cloudwatch", .. var program] when program.Length <= 1 => await CloudWatchBenchmark.RunAsync(program.FirstOrDefault(), part: null),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("""
        Usage: Benchmarks core                100,000 series in 10 collectors: publishing, scraping, memory
               Benchmarks state               the state file of 100,000 task instances a day: size, start-up, a poll
               Benchmarks demo [PROGRAM]      the demo's start-up time and memory; PROGRAM is a built pipeline-exporter
               Benchmarks airflow [PROGRAM]   a poll of 1,000 and 10,000 DAGs: requests, time, CPU, memory
               Benchmarks cloudwatch [tables|NUMBER|interval|buckets] [PROGRAM]
                                              1,000 to 50,000 series of CloudWatch, or those of so many tables: requests, time, CPU, memory; what is billed
        """);
    return 2;
}
