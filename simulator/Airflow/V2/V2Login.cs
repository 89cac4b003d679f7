using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace PipelineExporter.Simulator.Airflow.V2;

/// <summary>POST /auth/token of the SimpleAuthManager: credentials as JSON or as a form, 201 and the token alone.</summary>
internal sealed class V2Login(V2Tokens tokens)
{
    public static AirflowRefusal NotForAll() =>
        V2Errors.Detail(403, "This method is only allowed if ``[core] simple_auth_manager_all_admins`` is True");

    public async Task AnswerAsync(HttpContext context, bool forCli)
    {
        var (name, password) = await ReadAsync(context);
        if (name is null || password is null)
            throw V2Errors.Detail(422, Missing(name, password));
        if (AirflowUser.Find(name, password) is not { } user)
            throw V2Errors.Detail(401, "Invalid credentials");
        await AirflowAnswer.SendV2Async(context, 201, "application/json", json =>
        {
            json.WriteStartObject();
            json.WriteString("access_token", tokens.Issue(user, forCli));
            json.WriteEndObject();
        }, text: null);
    }

    static async Task<(string? User, string? Password)> ReadAsync(HttpContext context)
    {
        if (context.Request.HasFormContentType)
        {
            var form = await context.Request.ReadFormAsync(context.RequestAborted);
            return (form["username"], form["password"]);
        }
        if (!context.Request.HasJsonContentType())
            throw V2Errors.Detail(415, "Only application/json or application/x-www-form-urlencoded is supported");
        try
        {
            var body = await JsonSerializer.DeserializeAsync(context.Request.Body, TokenJson.Default.LoginBody, context.RequestAborted);
            return (body?.Username, body?.Password);
        }
        catch (JsonException)
        {
            return (null, null);
        }
    }

    /// <summary>One paragraph a field that is missing.</summary>
    static string Missing(string? user, string? password)
    {
        List<string> missing = [];
        if (user is null)
            missing.Add("username");
        if (password is null)
            missing.Add("password");
        return $"{missing.Count} validation error{(missing.Count > 1 ? "s" : "")} for LoginBody\n" + string.Join('\n', missing.Select(name =>
            $"{name}\n  Field required [type=missing, input_value={{}}, input_type=dict]\n    For further information visit https://errors.pydantic.dev/2.14/v/missing"));
    }
}
