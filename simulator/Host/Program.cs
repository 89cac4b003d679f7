using PipelineExporter.Simulator;

var options = new SimulatorOptions();
foreach (var argument in args)
{
    var (flag, value) = argument.Split('=', 2) is [var name, var given] ? (name, given) : (argument, "");
    switch (flag)
    {
        case "--listen-address" when value.Length > 0:
            options = options with { ListenAddress = value };
            break;
        case "--smtp-listen-address":
            options = options with { SmtpListenAddress = value.Length > 0 ? value : null };
            break;
        case "--seed" when int.TryParse(value, out var seed):
            options = options with { Seed = seed };
            break;
        case "--airflow-edition" when int.TryParse(value, out var edition):
            options = options with { AirflowEdition = edition };
            break;
        case "--airflow2-version" when value.Length > 0:
            options = options with { Airflow2Version = value };
            break;
        case "--airflow3-version" when value.Length > 0:
            options = options with { Airflow3Version = value };
            break;
        case "--token-lifetime" when int.TryParse(value, out var seconds):
            options = options with { TokenLifetime = TimeSpan.FromSeconds(seconds) };
            break;
        case "--dags" when int.TryParse(value, out var dags) && dags is >= 0 and <= 100_000:
            options = options with { Scale = dags };
            break;
        case "--tables" when int.TryParse(value, out var tables) && tables is >= 0 and <= 100_000:
            options = options with { Tables = tables };
            break;
        case "--buckets" when int.TryParse(value, out var buckets) && buckets is >= 0 and <= 100_000:
            options = options with { Buckets = buckets };
            break;
        case "--credential-lifetime" when int.TryParse(value, out var lasts) && lasts > 0:
            options = options with { CredentialLifetime = TimeSpan.FromSeconds(lasts) };
            break;
        default:
            await Console.Error.WriteLineAsync(
                $"pipeline-simulator: cannot use '{argument}'; flags are --listen-address=HOST:PORT, --smtp-listen-address=[HOST:PORT], --seed=NUMBER, " +
                "--airflow-edition=2|3, --airflow2-version=VERSION, --airflow3-version=VERSION, --token-lifetime=SECONDS, " +
                "--dags=NUMBER, --tables=NUMBER, --buckets=NUMBER (of generated load), --credential-lifetime=SECONDS");
            return 2;
    }
}

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    pressed.Cancel = true;
    stop.Cancel();
};
using var terminate = System.Runtime.InteropServices.PosixSignalRegistration.Create(
    System.Runtime.InteropServices.PosixSignal.SIGTERM,
    signal =>
    {
        signal.Cancel = true;
        stop.Cancel();
    });

try
{
    await using var simulator = await SimulatorHost.StartAsync(options, stop.Token);
    Console.WriteLine($"The simulator listens on {simulator.Address}" + (simulator.SmtpEndpoint is { } smtp ? $", its mail inbox on {smtp}" : ""));
    await simulator.WaitForShutdownAsync(stop.Token);
    return 0;
}
catch (Exception error) when (error is IOException or FormatException or System.Net.Sockets.SocketException)
{
    await Console.Error.WriteLineAsync($"pipeline-simulator: {error.Message}");
    return 2;
}
