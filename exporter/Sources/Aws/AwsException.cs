using System.Net;

namespace PipelineExporter.Sources.Aws;

/// <summary>
/// A request to AWS that failed, told for the reader: which service and operation, what AWS said, and what to do about it.
/// Holds no body, no credentials and nothing of a payload.
/// </summary>
internal sealed class AwsException : Exception, ISourceException
{
    public AwsException(
        string service, string? operation, string code, string explanation, HttpStatusCode? status = null, string? hint = null,
        Exception? inner = null)
        : base(Describe(service, operation, code, explanation, status, hint), inner) =>
        (Service, Operation, Code, Status, Hint, Reason) =
            (service, operation, code, status, hint, Describe(service, operation, code, explanation, status, hint: null));

    public string Service { get; }

    public string? Operation { get; }

    /// <summary>AWS's error code, e.g. AccessDeniedException, or one of Transport, Timeout, Malformed, Credentials, Circuit, Endpoint, Duplicate.</summary>
    public string Code { get; }

    public HttpStatusCode? Status { get; }

    /// <summary>The message without <see cref="Hint"/>.</summary>
    public string Reason { get; }

    /// <summary>What to do about it.</summary>
    public string? Hint { get; }

    /// <summary>A policy does not allow it: other operations, and other resources, may well be.</summary>
    public bool IsAccessDenied => AwsError.IsAccessDenied(Code);

    public bool IsThrottling { get; init; }

    /// <summary>The same request may well succeed a moment later.</summary>
    public bool IsRetryable { get; init; }

    /// <summary>How long AWS asks to wait.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>AWS would not answer like this; most likely something else did.</summary>
    public static AwsException Malformed(AwsService service, string operation, string explanation) =>
        new(service.Id, operation, "Malformed", explanation);

    private static string Describe(
        string service, string? operation, string code, string explanation, HttpStatusCode? status, string? hint)
    {
        var what = status is null ? $"{service} {operation}".TrimEnd() : $"{service} {operation}".TrimEnd() + $" answered {(int)status} {code}";
        var text = $"{what}: {explanation}";
        return hint is null ? text : $"{text.TrimEnd('.')}. {hint}";
    }
}
