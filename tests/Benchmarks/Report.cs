using System.Diagnostics;
using System.Globalization;
using PipelineExporter.Scraping;

namespace PipelineExporter.Benchmarks;

/// <summary>Prints what was measured beside what it should be at most, or at least.</summary>
internal sealed class Report
{
    private readonly List<(string What, double Value, string Unit)> lines = [];
    private bool missed;

    public int ExitCode => missed ? 1 : 0;

    public void Line(string what, double value, string unit, double? atMost = null, double? atLeast = null)
    {
        var good = (atMost is null || value <= atMost) && (atLeast is null || value >= atLeast);
        missed |= !good;
        lines.Add((what, value, unit));
        var target = atMost is not null ? $"at most {atMost:0.###}" : atLeast is not null ? $"at least {atLeast:0.###}" : "";
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{what,-62} {value,10:0.00} {unit,-4} {target,-14} {(target == "" ? "" : good ? "ok" : "MISSED")}"));
    }

    /// <summary>Prints the lines "SIZE: WHAT" once more, the sizes side by side.</summary>
    public void Table(IReadOnlyList<string> sizes)
    {
        Console.WriteLine($"\n{"",-62} {string.Join(' ', sizes.Select(size => $"{size,14}"))}");
        foreach (var row in lines.Where(line => sizes.Any(size => line.What.StartsWith($"{size}: ", StringComparison.Ordinal))).GroupBy(line => (What: line.What[(line.What.IndexOf(": ", StringComparison.Ordinal) + 2)..], line.Unit)))
        {
            var cells = sizes.Select(size => row.Where(line => line.What == $"{size}: {row.Key.What}").Select(line => line.Value.ToString("0.00", CultureInfo.InvariantCulture)).LastOrDefault(""));
            Console.WriteLine($"{row.Key.What,-62} {string.Join(' ', cells.Select(cell => $"{cell,14}"))} {row.Key.Unit}");
        }
    }

    /// <summary>Process time, all threads, spent in <paramref name="work"/>.</summary>
    public static async Task<TimeSpan> CpuAsync(Func<Task> work)
    {
        var before = Environment.CpuUsage.TotalTime;
        await work();
        return Environment.CpuUsage.TotalTime - before;
    }

    /// <summary>A line of /proc/PID/status in MiB: VmRSS is resident now, VmHWM at most so far.</summary>
    public static double MemoryMiB(string line, int? processId = null)
    {
        var status = File.ReadLines($"/proc/{processId ?? Environment.ProcessId}/status").Single(text => text.StartsWith(line + ":", StringComparison.Ordinal));
        return double.Parse(status.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024;
    }

    /// <summary>Time series on a page.</summary>
    public static int Series(MetricsPage page)
    {
        using var text = new StreamReader(page.OpenPlain());
        var series = 0;
        while (text.ReadLine() is { } line)
            series += line.StartsWith('#') ? 0 : 1;
        return series;
    }

    /// <summary>Runs a program to its end; it is another process, so that its time is not counted here.</summary>
    public static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false })!;
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} ended with code {process.ExitCode}");
    }
}
