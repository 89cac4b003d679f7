using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;

namespace PipelineExporter.Simulator.Inbox;

/// <summary>Slack's webhook, and both inboxes as JSON, oldest first.</summary>
internal static class InboxRoutes
{
    const int MaxPayloadBytes = 1024 * 1024;

    /// <summary>Text stands as people read it: the answer is JSON and never part of a page.</summary>
    static readonly InboxJson Json = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    public static void MapInbox(this IEndpointRouteBuilder routes, Inbox<Mail> mail, Inbox<SlackMessage> slack, TimeProvider time)
    {
        routes.MapGet("/simulator/inbox/mail", context => context.Response.WriteAsJsonAsync(
            mail.All, Json.ImmutableArrayMail, cancellationToken: context.RequestAborted));
        routes.MapGet("/simulator/inbox/slack", context => context.Response.WriteAsJsonAsync(
            slack.All, Json.ImmutableArraySlackMessage, cancellationToken: context.RequestAborted));
        routes.MapDelete("/simulator/inbox/mail", context =>
        {
            mail.Clear();
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        });
        routes.MapDelete("/simulator/inbox/slack", context =>
        {
            slack.Clear();
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        });
        routes.MapPost("/simulator/slack/{**path}", context => TakeSlackAsync(context, slack, time));
    }

    /// <summary>Answers as hooks.slack.com does: "ok", or 400 and a word.</summary>
    static async Task TakeSlackAsync(HttpContext context, Inbox<SlackMessage> slack, TimeProvider time)
    {
        var limit = context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>();
        if (!limit.IsReadOnly)
            limit.MaxRequestBodySize = MaxPayloadBytes;

        var refusal = "invalid_payload";
        if (await ReadPayloadAsync(context) is { } payload)
        {
            refusal = SlackMessage.Refusal(payload);
            if (refusal is null)
                slack.Add(id => new SlackMessage(id, time.GetUtcNow(), context.Request.Path, payload));
        }

        context.Response.StatusCode = refusal is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest;
        context.Response.ContentType = "text/html";
        await context.Response.WriteAsync(refusal ?? "ok", context.RequestAborted);
    }

    /// <summary>The JSON of the body, or of its form field "payload"; null when it is none.</summary>
    static async Task<JsonElement?> ReadPayloadAsync(HttpContext context)
    {
        try
        {
            if (!context.Request.HasFormContentType)
                return await JsonSerializer.DeserializeAsync(context.Request.Body, Json.JsonElement, context.RequestAborted);
            var form = await context.Request.ReadFormAsync(context.RequestAborted);
            return JsonSerializer.Deserialize(form["payload"].ToString(), Json.JsonElement);
        }
        catch (Exception error) when (error is JsonException or InvalidDataException)
        {
            return null;
        }
    }
}

[JsonSerializable(typeof(ImmutableArray<Mail>))]
[JsonSerializable(typeof(ImmutableArray<SlackMessage>))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class InboxJson : JsonSerializerContext;
