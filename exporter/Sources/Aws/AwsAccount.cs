using Amazon.SecurityToken;
using Amazon.SecurityToken.Model;

namespace PipelineExporter.Sources.Aws;

/// <summary>The account's id: the configured one, else what STS says, asked until it was answered once.</summary>
internal sealed class AwsAccount(string? configured, Func<AmazonSecurityTokenServiceClient> securityToken)
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
        using var client = securityToken();
        var answer = await AwsSdk.CallAsync(
            AwsService.SecurityToken, operation, () => client.GetCallerIdentityAsync(new GetCallerIdentityRequest(), cancellationToken));
        if (answer.Account is not { Length: 12 } account || account.Any(digit => !char.IsAsciiDigit(digit)))
            throw AwsException.Malformed(AwsService.SecurityToken, operation, "the answer names no account: check endpoint_url");
        Volatile.Write(ref id, account);
        return account;
    }
}
