using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using PipelineExporter.Simulator.Airflow;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Control;

/// <summary>The simulator's own paths: /simulator/incidents, /simulator/faults, /simulator/truth.</summary>
internal static class ControlEndpoints
{
    public static void MapControl(this IEndpointRouteBuilder routes, IncidentLog incidents, FaultInjector faults, PipelineModel model, EditLog edits, TimeProvider time)
    {
        routes.MapGet("/simulator/incidents", context => WriteAsync(context, States(incidents), ControlJson.Default.IncidentStates));
        routes.MapPost("/simulator/incidents", async context =>
        {
            if (await ReadAsync(context, ControlJson.Default.IncidentRequest) is not { } request)
                return;
            if (incidents.Start(request.Name) is null)
                await RefuseAsync(context, StatusCodes.Status404NotFound,
                    $"unknown incident '{request.Name}', known are: {string.Join(", ", IncidentKind.All.Select(kind => kind.Name))}");
            else
                await WriteAsync(context, StateOf(incidents, request.Name), ControlJson.Default.IncidentState);
        });
        routes.MapDelete("/simulator/incidents/{name}", context =>
        {
            var name = (string)context.GetRouteValue("name")!;
            return incidents.End(name) is null
                ? RefuseAsync(context, StatusCodes.Status404NotFound, $"incident '{name}' is not on")
                : WriteAsync(context, StateOf(incidents, name), ControlJson.Default.IncidentState);
        });

        routes.MapGet("/simulator/faults", context => WriteAsync(context, new FaultList([.. faults.All]), ControlJson.Default.FaultList));
        routes.MapPost("/simulator/faults", async context =>
        {
            if (await ReadAsync(context, ControlJson.Default.Fault) is not { } fault)
                return;
            if (fault.Problem is { } problem)
            {
                await RefuseAsync(context, StatusCodes.Status400BadRequest, problem);
                return;
            }
            faults.Add(fault);
            await WriteAsync(context, new FaultList([.. faults.All]), ControlJson.Default.FaultList);
        });
        routes.MapDelete("/simulator/faults", context =>
        {
            faults.Clear(context.Request.Query["source"] is [{ Length: > 0 } source] ? source : null);
            return WriteAsync(context, new FaultList([.. faults.All]), ControlJson.Default.FaultList);
        });

        routes.MapGet("/simulator/truth", context =>
        {
            if (Moment(context, "from") is not { } from || Moment(context, "to") is not { } to || to > time.GetUtcNow())
                return RefuseAsync(context, StatusCodes.Status400BadRequest,
                    "write ?from=&to= as 2026-11-23T06:00:00Z, neither in the future; &airflow=2 counts with the run types of Airflow 2");
            var edition = context.Request.Query["airflow"] is ["2"] ? Edition.V1 : Edition.V2;
            return WriteAsync(context, Truth.Of(model, edits, edition, from, to), ControlJson.Default.Truth);
        });
    }

    static DateTimeOffset? Moment(HttpContext context, string name) =>
        AirflowTime.TryParse(context.Request.Query[name].ToString(), out var at) == AirflowTime.Parsed.Ok ? at : null;

    static IncidentStates States(IncidentLog incidents) =>
        new([.. IncidentKind.All.Select(kind => StateOf(incidents, kind.Name))]);

    static IncidentState StateOf(IncidentLog incidents, string name)
    {
        var kind = IncidentKind.All.Single(known => known.Name == name);
        var history = incidents.Named(name).ToList();
        var on = history.Find(incident => incident.End is null);
        return new IncidentState(name, kind.Description, on is not null, on?.Start, [.. history.Select(i => new IncidentSpan(i.Start, i.End))]);
    }

    static async Task<T?> ReadAsync<T>(HttpContext context, JsonTypeInfo<T> type) where T : class
    {
        try
        {
            if (await JsonSerializer.DeserializeAsync(context.Request.Body, type, context.RequestAborted) is { } value)
                return value;
            await RefuseAsync(context, StatusCodes.Status400BadRequest, "a JSON object is expected");
        }
        catch (JsonException error)
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, error.Message);
        }
        return null;
    }

    static Task WriteAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type) =>
        context.Response.WriteAsJsonAsync(value, type, cancellationToken: context.RequestAborted);

    static Task RefuseAsync(HttpContext context, int status, string message)
    {
        context.Response.StatusCode = status;
        return WriteAsync(context, new Refusal(message), ControlJson.Default.Refusal);
    }
}

internal sealed record IncidentRequest(string Name);

internal sealed record IncidentSpan(DateTimeOffset Start, DateTimeOffset? End);

internal sealed record IncidentState(string Name, string Description, bool On, DateTimeOffset? Since, IReadOnlyList<IncidentSpan> History);

internal sealed record IncidentStates(IReadOnlyList<IncidentState> Incidents);

internal sealed record FaultList(IReadOnlyList<Fault> Faults);

internal sealed record Refusal(string Error);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, WriteIndented = true, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(IncidentRequest))]
[JsonSerializable(typeof(IncidentState))]
[JsonSerializable(typeof(IncidentStates))]
[JsonSerializable(typeof(Fault))]
[JsonSerializable(typeof(FaultList))]
[JsonSerializable(typeof(Refusal))]
[JsonSerializable(typeof(Truth))]
internal sealed partial class ControlJson : JsonSerializerContext;
