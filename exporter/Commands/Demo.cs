using System.CommandLine;
using Amazon.Runtime;
using PipelineExporter.Configuration;
using PipelineExporter.Simulator;

namespace PipelineExporter.Commands;

/// <summary>
/// <c>demo</c>: the exporter against the embedded simulator. Not compiled into a published program: the simulator's keys are
/// public and its POST endpoints open.
/// </summary>
internal static class Demo
{
    private const string PasswordVariable = "SIMULATOR_PASSWORD";

    /// <summary>What a user of the simulator would write into exporter.yml.</summary>
    public static string Yaml(Uri simulator) => $$"""
        airflow:
          - environment: production
            url: {{new Uri(simulator, "airflow3")}}
            auth: { token: { username: exporter, password_env: {{PasswordVariable}} } }
            allow_insecure_auth: true # to the simulator, wherever it listens
            workers:
              cloudwatch:
                region: eu-west-1
                endpoint_url: {{simulator}}
                namespace: AWS/MWAA
                dimensions: { Environment: music-streaming }
                cluster_dimension: Cluster
        aws:
          - region: eu-west-1
            endpoint_url: {{simulator}}
            glue: { jobs: ["*"] }
            s3: { buckets: ["*"] }
            dynamodb: { tables: ["*"] }
        thresholds:
          dag_overdue_grace:
            overrides: [{ dag: release_calendar_import, value: 1m }]
        """;

    public static Command Command()
    {
        var serve = new ServeFlags(
            Flags.ListenAddress("--web.listen-address", "127.0.0.1:9894", "Where the exporter listens."),
            Flags.StoragePath(null, "Directory of the state file; a fresh temporary one unless given."));
        var simulator = Flags.ListenAddress("--simulator.listen-address", "127.0.0.1:9895", "Where the simulator listens.");
        var smtp = Flags.ListenAddress(
            "--simulator.smtp-listen-address", null, "Where the simulator's mail inbox takes SMTP; beside the simulator, one port higher, unless given.");
        var command = serve.AddTo(new Command("demo", "Serve the metrics of an embedded simulator of Airflow and AWS.") { simulator, smtp });
        command.SetAction((parsed, cancellationToken) =>
        {
            var listen = simulator.Of(parsed)!;
            return RunAsync(serve.Read(parsed), listen, smtp.Of(parsed) ?? Beside(listen), parsed.InvocationConfiguration.Output, cancellationToken);
        });
        return command;
    }

    private static async Task<int> RunAsync(
        ServeOptions options, ListenAddress listen, ListenAddress smtp, TextWriter output, CancellationToken cancellationToken)
    {
        var temporary = options.StoragePath is null ? Directory.CreateTempSubdirectory("pipeline-exporter-demo-") : null;
        try
        {
            await using var simulator = await StartAsync(listen, smtp, cancellationToken);
            var configuration = ExporterConfiguration.Parse(
                Yaml(Reachable(simulator.Address)), "demo", name => name == PasswordVariable ? "simulator-password" : null);
            options = options with
            {
                StoragePath = options.StoragePath ?? temporary!.FullName,
                AwsKeys = new BasicAWSCredentials("SIMULATOR", "simulator-secret"),
            };
            return await Run.ServeAsync(
                configuration, options, address => output.WriteLineAsync(Guide(options, Reachable(address), Reachable(simulator.Address))),
                cancellationToken);
        }
        finally
        {
            temporary?.Delete(recursive: true);
        }
    }

    // Any free port when the simulator takes one, or the last there is.
    private static ListenAddress Beside(ListenAddress simulator)
    {
        var port = simulator.EndPoint.Port is 0 or 65535 ? 0 : simulator.EndPoint.Port + 1;
        return ListenAddress.Parse($"{simulator.Text[..simulator.Text.LastIndexOf(':')]}:{port}");
    }

    private static async Task<SimulatorHost> StartAsync(ListenAddress listen, ListenAddress smtp, CancellationToken cancellationToken)
    {
        try
        {
            return await SimulatorHost.StartAsync(new() { ListenAddress = listen.Text, SmtpListenAddress = smtp.Text }, cancellationToken);
        }
        catch (Exception e) when (Run.IsListenFailure(e))
        {
            throw new CannotStartException(
                $"the simulator cannot listen on {listen} and {smtp}: {Run.Reason(e)}; "
                + "choose others with --simulator.listen-address and --simulator.smtp-listen-address", e);
        }
    }

    /// <summary>An address to connect to: the one that listens everywhere is none.</summary>
    private static Uri Reachable(Uri listening) => listening.Host is "0.0.0.0" or "[::]" or "+" or "*"
        ? new UriBuilder(listening) { Host = "127.0.0.1" }.Uri
        : listening;

    private static string Guide(ServeOptions options, Uri exporter, Uri simulator) => $$"""

        The demo is running, against a simulated Airflow and AWS.
          Metrics     {{new Uri(exporter, options.TelemetryPath)}}
          Status      {{exporter}}
          Simulator   {{simulator}}
          Inboxes     {{new Uri(simulator, "inbox")}}
        Counters stand at 0 until they were scraped twice and 60 s have passed, so that Prometheus sees each of them move.
        Let a run of the main pipeline fail, and end that again (mail and Slack need Prometheus and Alertmanager, as in docker-compose.yml):
          curl -d '{"name":"dag_failure"}' {{new Uri(simulator, "simulator/incidents")}}
          curl -X DELETE {{new Uri(simulator, "simulator/incidents/dag_failure")}}
        Ctrl+C stops it.

        """;
}
