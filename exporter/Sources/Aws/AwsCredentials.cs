using Amazon;
using Amazon.Runtime;
using Amazon.Runtime.Credentials;
using Amazon.RuntimeDependencies;
using Amazon.SecurityToken;
using Amazon.SecurityToken.Model;
using Amazon.SSO;
using Amazon.SSOOIDC;
using Amazon.Util.Internal;

namespace PipelineExporter.Sources.Aws;

/// <summary>
/// The keys of one source: the SDK's default chain (environment, profile, SSO, web identity, container, instance), with the
/// role on top of it that the source names. Asked again when they run out, or when nothing was found.
/// </summary>
/// <param name="role">Null to use the chain's keys as they are.</param>
/// <param name="given">Keys to use instead of the chain's.</param>
internal sealed class AwsCredentials(AwsRole? role, AWSCredentials? given, Func<AWSCredentials, AmazonSecurityTokenServiceClient> securityToken, TimeProvider time)
    : IDisposable
{
    private const int LongestReason = 300;

    private static readonly DefaultAWSCredentialsIdentityResolver DefaultChain = new();

    private readonly SemaphoreSlim gate = new(1);
    private AWSCredentials? resolved;

    static AwsCredentials()
    {
        // For web identity and SSO, which ask without keys: by itself the chain finds these clients by reflection, which does
        // not survive trimming.
        var registry = GlobalRuntimeDependencyRegistry.Instance;
        registry.RegisterSecurityTokenServiceClient(context =>
            new AmazonSecurityTokenServiceClient(new AnonymousAWSCredentials(), context.SecurityTokenServiceClientContextData.Region));
        registry.RegisterSSOClient(context => new AmazonSSOClient(new AnonymousAWSCredentials(), context.SSOClientContextData.Region));
        registry.RegisterSSOOIDCClient(context => new AmazonSSOOIDCClient(new AnonymousAWSCredentials(), context.SSOOIDCClientContextData.Region));
    }

    /// <exception cref="AwsException">No keys are to be had.</exception>
    public async Task<ImmutableCredentials> GetAsync(AwsService service, string operation, CancellationToken cancellationToken)
    {
        try
        {
            var credentials = await ResolveAsync(cancellationToken);
            return await credentials.GetCredentialsAsync().WaitAsync(cancellationToken);
        }
        catch (AmazonSecurityTokenServiceException e) when (role is not null)
        {
            throw new AwsException(
                service.Id, operation, "Credentials", $"the role {role.Arn} could not be assumed: {e.ErrorCode}: {e.Message}",
                hint: "Its trust policy must name the exporter's own identity (and external_id, if it demands one).", inner: e);
        }
        catch (Exception e) when (e is AmazonClientException or AmazonServiceException or InvalidOperationException or HttpRequestException)
        {
            throw new AwsException(
                service.Id, operation, "Credentials", "no usable AWS credentials",
                hint: $"Looked where every AWS SDK looks: environment, profile, SSO, web identity, container, instance. {Compact(e.Message)}".TrimEnd(), inner: e);
        }
    }

    /// <summary>Has temporary keys fetched anew at the next request.</summary>
    public void Forget()
    {
        if (Volatile.Read(ref resolved) is RefreshingAWSCredentials refreshing)
            refreshing.ClearCredentials();
    }

    public void Dispose()
    {
        (resolved as AssumedRole)?.Dispose();
        gate.Dispose();
    }

    internal async Task<AWSCredentials> ResolveAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref resolved) is { } known)
            return known;
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (resolved is null)
            {
                // Off this thread: parts of the chain read files and ask the metadata service synchronously.
                var found = Trimmable(given ?? await Task.Run(() => DefaultChain.ResolveIdentityAsync(null, cancellationToken), cancellationToken));
                Volatile.Write(ref resolved, role is null ? found : Assume(role, found));
            }

            return resolved;
        }
        finally
        {
            gate.Release();
        }
    }

    // When nothing was found, the SDK tells of each place in a line of its own, which says no more than the hint does.
    private static string Compact(string message) =>
        message.Contains('\n', StringComparison.Ordinal) ? "" : message.Length <= LongestReason ? message : message[..LongestReason] + "…";

    // The SDK's own role credentials (of a profile with role_arn) cannot be told which keys to assume the role with once trimmed.
    private AWSCredentials Trimmable(AWSCredentials found) => found is AssumeRoleAWSCredentials profile
        ? Assume(new(profile.RoleArn, profile.Options?.ExternalId, profile.RoleSessionName), Trimmable(profile.SourceCredentials))
        : found;

    private AssumedRole Assume(AwsRole assumed, AWSCredentials own) => new(assumed, securityToken(own), new SdkTime(time));

    /// <summary>Renews itself some minutes before it expires.</summary>
    private sealed class AssumedRole : RefreshingAWSCredentials
    {
        private readonly AwsRole role;
        private readonly AmazonSecurityTokenServiceClient client;
        private readonly ITimeProvider time;

        public AssumedRole(AwsRole role, AmazonSecurityTokenServiceClient client, ITimeProvider time) : base(time) =>
            (this.role, this.client, this.time) = (role, client, time);

        protected override async Task<CredentialsRefreshState> GenerateNewCredentialsAsync()
        {
            var answer = await client.AssumeRoleAsync(new AssumeRoleRequest
            {
                RoleArn = role.Arn,
                ExternalId = role.ExternalId,
                RoleSessionName = role.SessionName,
            });
            var keys = answer.Credentials;
            return new(
                new ImmutableCredentials(keys.AccessKeyId, keys.SecretAccessKey, keys.SessionToken), keys.Expiration!.Value.ToUniversalTime(), time);
        }

        protected override CredentialsRefreshState GenerateNewCredentials() =>
            throw new NotSupportedException("the role is assumed asynchronously");

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                client.Dispose();
            base.Dispose(disposing);
        }
    }

    private sealed class SdkTime(TimeProvider time) : ITimeProvider
    {
        public DateTime CorrectedUtcNow => time.GetUtcNow().UtcDateTime;
    }
}

/// <param name="ExternalId">What the role's owner demands of strangers; null when nothing.</param>
internal sealed record AwsRole(string Arn, string? ExternalId = null, string SessionName = "pipeline-exporter");
