using System.Runtime.ExceptionServices;
using Amazon;
using Amazon.Runtime;
using Amazon.Runtime.Credentials;
using Amazon.RuntimeDependencies;
using Amazon.SecurityToken;
using Amazon.SecurityToken.Model;
using Amazon.SSO;
using Amazon.SSOOIDC;
using Amazon.Util;
using Amazon.Util.Internal;

namespace PipelineExporter.Sources.Aws;

/// <summary>
/// The keys of one source: the SDK's default chain (environment, web identity, profile with SSO, container, instance), with the
/// role on top of it that the source names. The chain is asked for every request: it answers from memory until a file of it
/// changes.
/// </summary>
/// <param name="role">Null to use the chain's keys as they are.</param>
/// <param name="given">Keys to use instead of the chain's.</param>
/// <param name="clock">AWS's time, by which keys expire.</param>
internal sealed class AwsCredentials(AwsRole? role, AWSCredentials? given, Func<AWSCredentials, AmazonSecurityTokenServiceClient> securityToken, AwsClock clock)
    : IDisposable
{
    private const int LongestReason = 300;

    private static readonly string Allow =
        $"Allow {AwsService.SecurityToken.ActionOf("AssumeRole")} in the IAM policy of the exporter's own identity, and name that in the role's trust policy "
        + "(with external_id, if it demands one).";

    private static readonly DefaultAWSCredentialsIdentityResolver DefaultChain = new();

    private readonly SemaphoreSlim gate = new(1);
    private readonly AwsTime time = new(clock);
    private DefaultAWSCredentialsIdentityResolver chain = DefaultChain;
    private AWSCredentials? found;
    private AWSCredentials? resolved;
    private ImmutableCredentials? refused;

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

    /// <summary>Keys that are refused as expired may be replaced by others at once.</summary>
    public bool CanRenew => Volatile.Read(ref resolved) is RefreshingAWSCredentials;

    /// <exception cref="AwsException">No keys are to be had.</exception>
    public async Task<ImmutableCredentials> GetAsync(AwsService service, string operation, CancellationToken cancellationToken)
    {
        try
        {
            var credentials = await ResolveAsync(cancellationToken);
            return await credentials.GetCredentialsAsync().WaitAsync(cancellationToken);
        }
        catch (Exception e) when (IsFailure(e, cancellationToken) && role is not null && CanRenew)
        {
            var refusal = e as AmazonSecurityTokenServiceException;
            throw new AwsException(
                service.Id, operation, "Credentials",
                $"the role {role.Arn} could not be assumed: {(refusal is null ? "" : $"{refusal.ErrorCode}: ")}{Compact(e.Message)}",
                hint: AwsError.IsAccessDenied(refusal?.ErrorCode ?? "") ? Allow : null, inner: e);
        }
        catch (Exception e) when (IsFailure(e, cancellationToken))
        {
            throw new AwsException(service.Id, operation, "Credentials", "no usable AWS credentials", hint: Hint(e.Message), inner: e);
        }
    }

    /// <summary>Has other keys than these, which AWS calls expired, used from the next request on.</summary>
    public void Forget(ImmutableCredentials keys)
    {
        if (keys.Equals(Interlocked.Exchange(ref refused, keys)))
            return; // Of several requests that were signed with them, the first has seen to it.
        if (Volatile.Read(ref resolved) is RefreshingAWSCredentials refreshing)
            refreshing.ClearCredentials();
        else if (given is null)
            Volatile.Write(ref chain, new()); // Its files are read anew.
    }

    public void Dispose()
    {
        (resolved as AssumedRole)?.Dispose();
        gate.Dispose();
    }

    internal async Task<AWSCredentials> ResolveAsync(CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            // Off this thread: parts of the chain read files and ask the metadata service synchronously.
            var asked = Volatile.Read(ref chain);
            var latest = given ?? await Task.Run(() => asked.ResolveIdentityAsync(null, cancellationToken), cancellationToken);
            if (ReferenceEquals(latest, found))
                return resolved!;
            var own = Own(latest);
            Volatile.Write(ref resolved, role is null ? own : Assume(role, own));
            found = latest;
            return resolved;
        }
        catch (Exception e) when (resolved is not null && IsFailure(e, cancellationToken))
        {
            return resolved; // A file is being written just now, most likely; AWS says when the keys are good no more.
        }
        finally
        {
            gate.Release();
        }
    }

    // The SDK has no common type for what may go wrong in its many sources of keys.
    private static bool IsFailure(Exception error, CancellationToken cancellationToken) =>
        error is not OperationCanceledException || !cancellationToken.IsCancellationRequested;

    private static string Hint(string reason) => reason.Contains("SSO", StringComparison.Ordinal)
        ? $"The profile's SSO session is missing or has expired: `aws sso login`, or give the exporter a role. {Compact(reason)}".TrimEnd()
        : $"Looked where every AWS SDK looks: environment, profile, SSO, web identity, container, instance. {Compact(reason)}".TrimEnd();

    // When nothing was found, the SDK tells of each place in a line of its own, which says no more than the hint does.
    private static string Compact(string message) =>
        message.Contains('\n', StringComparison.Ordinal) ? "" : message.Length <= LongestReason ? message : message[..LongestReason] + "…";

    // The SDK's own role credentials (of a profile with role_arn) cannot be told which keys to assume the role with once trimmed,
    // and its keys of an instance (the only others to be disposed of) cannot be told that they have expired.
    private AWSCredentials Own(AWSCredentials latest) => latest switch
    {
        AssumeRoleAWSCredentials profile =>
            Assume(new(profile.RoleArn, profile.Options?.ExternalId, profile.RoleSessionName), Own(profile.SourceCredentials)),
        IDisposable and not RefreshingAWSCredentials => new InstanceKeys(time),
        _ => latest,
    };

    private AssumedRole Assume(AwsRole assumed, AWSCredentials own) => new(assumed, own, securityToken(own), time);

    /// <summary>Keys for a while, with others fetched in the background some minutes before they expire.</summary>
    private abstract class Renewed : RefreshingAWSCredentials
    {
        /// <summary>Every request comes for keys: those that come so soon after a failure hear of it, and ask nobody.</summary>
        private static readonly TimeSpan Rest = TimeSpan.FromSeconds(20);

        private readonly AwsTime time;
        private Tuple<Exception, DateTime>? failure;

        protected Renewed(AwsTime time) : base(time)
        {
            this.time = time;
            PreemptExpiryTime = TimeSpan.FromMinutes(5);
        }

        protected DateTime Now => time.CorrectedUtcNow;

        protected abstract Task<CredentialsRefreshState> FetchAsync();

        protected sealed override async Task<CredentialsRefreshState> GenerateNewCredentialsAsync()
        {
            // Before the failure is after it, too: the clock was set right.
            if (Volatile.Read(ref failure) is var (reason, at) && Now >= at && Now < at + Rest)
                ExceptionDispatchInfo.Throw(reason);
            try
            {
                return await FetchAsync();
            }
            catch (Exception e)
            {
                Volatile.Write(ref failure, new(e, Now));
                throw;
            }
        }

        protected CredentialsRefreshState Keys(string accessKey, string secretKey, string token, DateTime expires) =>
            new(new ImmutableCredentials(accessKey, secretKey, token), expires.ToUniversalTime(), time);

        // The SDK's own clients sign synchronously.
        protected override CredentialsRefreshState GenerateNewCredentials() => Task.Run(GenerateNewCredentialsAsync).GetAwaiter().GetResult();
    }

    private sealed class AssumedRole(AwsRole role, AWSCredentials own, AmazonSecurityTokenServiceClient client, AwsTime time) : Renewed(time)
    {
        protected override async Task<CredentialsRefreshState> FetchAsync()
        {
            Credentials keys;
            try
            {
                keys = await AssumeAsync();
            }
            catch (AmazonSecurityTokenServiceException e) when (AwsError.IsExpired(e.ErrorCode) && own is RefreshingAWSCredentials refreshing)
            {
                refreshing.ClearCredentials();
                keys = await AssumeAsync();
            }

            return Keys(keys.AccessKeyId, keys.SecretAccessKey, keys.SessionToken, keys.Expiration!.Value);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                client.Dispose();
            base.Dispose(disposing);
        }

        private async Task<Credentials> AssumeAsync()
        {
            var answer = await client.AssumeRoleAsync(new AssumeRoleRequest
            {
                RoleArn = role.Arn,
                ExternalId = role.ExternalId,
                RoleSessionName = role.SessionName,
            });
            return answer.Credentials;
        }
    }

    private sealed class InstanceKeys(AwsTime time) : Renewed(time)
    {
        /// <summary>A metadata service in trouble gives expired keys, which AWS then takes; it is asked again this much later.</summary>
        private static readonly TimeSpan Trouble = TimeSpan.FromMinutes(3);

        protected override async Task<CredentialsRefreshState> FetchAsync()
        {
            var roles = await EC2InstanceMetadata.GetIAMSecurityCredentialsAsync();
            var keys = roles?.Values.FirstOrDefault()
                ?? throw new AmazonServiceException("the metadata service of this instance gives no keys");
            return Keys(keys.AccessKeyId, keys.SecretAccessKey, keys.Token, keys.Expiration > Now ? keys.Expiration : Now + Trouble);
        }
    }

    private sealed class AwsTime(AwsClock clock) : ITimeProvider
    {
        public DateTime CorrectedUtcNow => clock.UtcNow.UtcDateTime;
    }
}

/// <param name="ExternalId">What the role's owner demands of strangers; null when nothing.</param>
internal sealed record AwsRole(string Arn, string? ExternalId = null, string SessionName = "pipeline-exporter");
