using System.Globalization;

namespace PipelineExporter.Simulator.Airflow.V1;

/// <summary>REST v1 refuses in problem+json, and in HTML where it breaks down.</summary>
internal static class V1Errors
{
    public const string Docs = "https://airflow.apache.org/docs/apache-airflow/2.11.2/stable-rest-api-ref.html#section/Errors/";

    public static AirflowRefusal BadRequest(string? detail, string? title = "Bad Request") => Problem(400, title, detail, Docs + "BadRequest");

    /// <summary>No, or wrong, or insufficient credentials: all the same.</summary>
    public static AirflowRefusal Forbidden() => Problem(403, "Forbidden", null, Docs + "PermissionDenied");

    public static AirflowRefusal NotFound(string title, string? detail) => Problem(404, title, detail, Docs + "NotFound");

    public static AirflowRefusal NoSuchPath() => Problem(404, "Not Found",
        "The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.", "about:blank");

    /// <summary>The answer holds what its specification does not allow.</summary>
    public static AirflowRefusal BadAnswer(string detail) => Problem(500, "Response body does not conform to specification", detail, Docs + "Unknown");

    public static AirflowRefusal Problem(int status, string? title, string? detail, string type) => new(status, "application/problem+json", json =>
    {
        json.WriteStartObject();
        json.WriteString("detail", detail);
        json.WriteNumber("status", status);
        json.WriteString("title", title);
        json.WriteString("type", type);
        json.WriteEndObject();
    });

    /// <summary>What the web server says when the application broke.</summary>
    public static AirflowRefusal Html(int status, string title) => new(status, "text/html; charset=utf-8", writeJson: null, string.Create(CultureInfo.InvariantCulture,
        $"<html>\n  <head>\n    <title>{title}</title>\n  </head>\n  <body>\n    <h1><p>{title}</p></h1>\n    \n  </body>\n</html>\n"));
}
