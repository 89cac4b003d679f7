using Amazon.Runtime;
using Amazon.SecurityToken;
using Amazon.SecurityToken.Model;

namespace PipelineExporter.Sources.Aws;

/// <summary>The account's id: the configured one, else what STS says, asked until it was answered once.</summary>
internal sealed class AwsAccount(
    string? configured, AwsCredentials credentials, Func<AWSCredentials, AmazonSecurityTokenServiceClient> securityToken, Action<string> observe)
{
    private string? id = configured;

    /// <summary>Null until known.</summary>
    public string? Id => Volatile.Read(ref id);

    /// <exception cref="AwsException">STS did not tell.</exception>
    public async Task<string> GetIdAsync(CancellationToken cancellationToken)
    {
        if (Id is { } known)
            return known;
        const string operation = "GetCallerIdentity";
        await credentials.GetAsync(AwsService.SecurityToken, operation, cancellationToken);
        using var client = securityToken(await credentials.ResolveAsync(cancellationToken));
        try
        {
            var answer = await client.GetCallerIdentityAsync(new GetCallerIdentityRequest(), cancellationToken);
            observe(RequestOutcome.Ok);
            if (answer.Account is not { Length: 12 } account || account.Any(digit => !char.IsAsciiDigit(digit)))
                throw new AwsException(AwsService.SecurityToken.Id, operation, "Malformed", "the answer names no account: check endpoint_url");
            Volatile.Write(ref id, account);
            return account;
        }
        catch (Exception e) when (e is AmazonServiceException or AmazonClientException or HttpRequestException)
        {
            observe(e is AmazonServiceException { Retryable.Throttling: true } ? RequestOutcome.Throttled : RequestOutcome.Error);
            throw e is AmazonServiceException { ErrorCode: { Length: > 0 } code } answered
                ? new AwsException(AwsService.SecurityToken.Id, operation, code, FirstLine(answered.Message), answered.StatusCode, inner: e)
                : new AwsException(AwsService.SecurityToken.Id, operation, "Transport", FirstLine(e.Message), inner: e);
        }
        catch (OperationCanceledException)
        {
            observe(RequestOutcome.Timeout);
            throw;
        }
    }

    private static string FirstLine(string text) => text.Split('\n', 2)[0].Trim();
}
