using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PipelineExporter.Simulator.Airflow.V1;
using PipelineExporter.Simulator.Airflow.V2;
using PipelineExporter.Simulator.Control;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>
/// Airflow 2 under /airflow2, Airflow 3 under /airflow3, and under /airflow the one of them that /simulator/airflow says:
/// so a server is upgraded under the eyes of whoever polls it.
/// </summary>
internal static class AirflowRoutes
{
    const string Upgradable = "/airflow";

    /// <summary>Has to come before routing.</summary>
    public static void UseUpgradableAirflow(this IApplicationBuilder web, AirflowServers servers) => web.Use(next => context =>
    {
        if (context.Request.Path.StartsWithSegments(Upgradable, StringComparison.Ordinal, out var rest))
            context.Request.Path = new PathString($"{Upgradable}{servers.Settings.Edition}") + rest;
        return next(context);
    });

    public static void MapAirflow(this IEndpointRouteBuilder routes, PipelineModel model, EditLog edits, FaultInjector faults, AirflowServers servers)
    {
        new AirflowV1(model, edits, faults, servers).Map(routes);
        new AirflowV2(model, edits, faults, servers).Map(routes);
        routes.MapRunPages(model, edits, faults, servers);
        routes.MapGet("/simulator/airflow", context => WriteAsync(context, servers.Settings));
        routes.MapPost("/simulator/airflow", context => ChangeAsync(context, servers));
    }

    /// <summary>What the body leaves out stays as it is.</summary>
    static async Task ChangeAsync(HttpContext context, AirflowServers servers)
    {
        var (changed, problem) = await ReadAsync(context, servers.Settings);
        if (problem is null)
        {
            servers.Change(changed);
            await WriteAsync(context, changed);
            return;
        }
        context.Response.StatusCode = StatusCodes.Status400BadRequest;
        await context.Response.WriteAsJsonAsync(new SettingsRefusal(problem), SettingsJson.Default.SettingsRefusal, cancellationToken: context.RequestAborted);
    }

    static async Task<(AirflowSettings Changed, string? Problem)> ReadAsync(HttpContext context, AirflowSettings now)
    {
        SettingsBody? body;
        try
        {
            body = await JsonSerializer.DeserializeAsync(context.Request.Body, SettingsJson.Default.SettingsBody, context.RequestAborted);
        }
        catch (JsonException error)
        {
            return (now, error.Message);
        }
        if (body is null)
            return (now, "a JSON object is expected");
        if (TryVersion(body.Airflow2Version, now.Airflow2Version) is not { } two || TryVersion(body.Airflow3Version, now.Airflow3Version) is not { } three)
            return (now, "a version is three numbers, such as 2.9.3");
        var changed = new AirflowSettings(
            body.Edition ?? now.Edition, two, three, body.TokenLifetime is { } seconds ? TimeSpan.FromSeconds(seconds) : now.TokenLifetime);
        return (changed, changed.Problem);
    }

    static Version? TryVersion(string? text, Version otherwise) => text is null ? otherwise : Version.TryParse(text, out var version) && version.Build >= 0 ? version : null;

    static Task WriteAsync(HttpContext context, AirflowSettings settings) => context.Response.WriteAsJsonAsync(
        new SettingsBody(settings.Edition, settings.Airflow2Version.ToString(3), settings.Airflow3Version.ToString(3), settings.TokenLifetime.TotalSeconds),
        SettingsJson.Default.SettingsBody, cancellationToken: context.RequestAborted);
}

/// <param name="TokenLifetime">Seconds.</param>
internal sealed record SettingsBody(
    int? Edition = null,
    [property: JsonPropertyName("airflow2_version")] string? Airflow2Version = null,
    [property: JsonPropertyName("airflow3_version")] string? Airflow3Version = null,
    double? TokenLifetime = null);

internal sealed record SettingsRefusal(string Error);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(SettingsBody))]
[JsonSerializable(typeof(SettingsRefusal))]
internal sealed partial class SettingsJson : JsonSerializerContext;
