using PipelineExporter.Collectors.Aws;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

public sealed class GlueCapacityTests
{
    [Theory]
    [InlineData("Standard", 1)]
    [InlineData("G.025X", 0.25)]
    [InlineData("G.1X", 1)]
    [InlineData("G.2X", 2)]
    [InlineData("G.4X", 4)]
    [InlineData("G.8X", 8)]
    [InlineData("G.12X", 12)]
    [InlineData("G.16X", 16)]
    [InlineData("R.1X", 1)]
    [InlineData("R.2X", 2)]
    [InlineData("R.4X", 4)]
    [InlineData("R.8X", 8)]
    [InlineData("Z.2X", 2)]
    public void Workers_have_a_size(string type, double dpus) => Assert.Equal(
        dpus * 3 * 100, GlueCapacity.DpuSeconds(new() { WorkerType = type, NumberOfWorkers = 3, ExecutionTime = 100, MaxCapacity = 77 }));

    [Fact]
    public void What_Glue_tells_goes_first() => Assert.Equal(
        42.5, GlueCapacity.DpuSeconds(new() { DPUSeconds = 42.5, WorkerType = "G.1X", NumberOfWorkers = 3, ExecutionTime = 100, MaxCapacity = 3 }));

    [Fact]
    public void Workers_of_an_unknown_type_and_jobs_without_workers_go_by_capacity()
    {
        Assert.Equal(600, GlueCapacity.DpuSeconds(new() { WorkerType = "Q.99X", NumberOfWorkers = 3, ExecutionTime = 100, MaxCapacity = 6 }));
        Assert.Equal(6.25, GlueCapacity.DpuSeconds(new() { ExecutionTime = 100, MaxCapacity = 0.0625 }));
    }

    [Fact]
    public void Nothing_known_is_nothing_used() => Assert.Equal(0, GlueCapacity.DpuSeconds(new GlueJobRun { Id = "a" }));

    [Theory]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(1e12)]
    public void A_counter_never_gets_nonsense(double told) => Assert.Equal(0, GlueCapacity.DpuSeconds(new() { DPUSeconds = told }));
}
