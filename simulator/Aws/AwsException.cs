namespace PipelineExporter.Simulator.Aws;

/// <summary>An answer that is an error, in the code that AWS gives it.</summary>
/// <param name="message">Null where AWS answers the code alone.</param>
internal sealed class AwsException(string code, string? message, int status = 400) : Exception(code)
{
    public string Code { get; } = code;

    public string? Text { get; } = message;

    public int Status { get; } = status;

    /// <summary>What S3 says beside the code and the message.</summary>
    public IReadOnlyList<(string Name, string Value)> Details { get; init; } = [];

    /// <summary>A parameter outside what the service model allows, in the words of AWS's validation.</summary>
    public static AwsException Constraint(string code, object? value, string member, string constraint) => new(
        code,
        $"1 validation error detected: Value {(value is null ? "null" : $"'{value}'")} at '{member}' failed to satisfy constraint: {constraint}");
}
