using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Amazon.Runtime;
using Polly;
using Polly.CircuitBreaker;
using Polly.Retry;
using Polly.Timeout;

namespace PipelineExporter.Sources.Aws;

/// <summary>
/// Sends the requests of one service: signs each attempt, retries what may succeed, holds back from an operation that keeps
/// failing, and turns whatever goes wrong into an <see cref="AwsException"/>. The whole time-out is the caller's.
/// </summary>
internal sealed class AwsHandler : DelegatingHandler
{
    /// <summary>Names the operation of a request whose protocol has no X-Amz-Target.</summary>
    public static readonly HttpRequestOptionsKey<string> Operation = new("aws-operation");

    private readonly AwsService service;
    private readonly string region;
    private readonly AwsCredentials credentials;
    private readonly AwsClock clock;
    private readonly TimeProvider time;
    private readonly Action<string> observe;
    private readonly AwsUsage usage;
    private readonly AwsResilience resilience;

    private readonly ResiliencePipeline<HttpResponseMessage> retries;

    /// <summary>By operation: one that keeps failing holds back no other.</summary>
    private readonly ConcurrentDictionary<string, ResiliencePipeline<HttpResponseMessage>> attempts = new(StringComparer.Ordinal);

    /// <param name="observe">Called once a request sent, so once an attempt.</param>
    /// <param name="usage">Says how fast, and is told of each answer.</param>
    public AwsHandler(
        AwsService service, string region, AwsCredentials credentials, AwsClock clock, AwsResilience resilience, TimeProvider time,
        Action<string> observe, AwsUsage usage, HttpMessageHandler inner) : base(new WholeAnswers(inner))
    {
        (this.service, this.region, this.credentials, this.clock, this.time) = (service, region, credentials, clock, time);
        (this.observe, this.usage, this.resilience) = (observe, usage, resilience);
        retries = resilience.Retrying(time);
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var operation = OperationOf(request);
        var bodyHash = await AwsSignature.HashAsync(request.Content, cancellationToken);
        var pace = usage.PaceOf(operation);
        var attempt = attempts.GetOrAdd(operation, static (_, handler) => handler.resilience.Attempting(handler.time), this);
        try
        {
            return await retries.ExecuteAsync(
                async token =>
                {
                    // What is waited for here is not AWS's answer: neither its time-out nor the breaker knows of it.
                    if (pace is not null)
                        await pace.WaitAsync(token);
                    var keys = await KeysAsync(operation, token);
                    return await attempt.ExecuteAsync(async sending => await AttemptAsync(request, operation, bodyHash, keys, pace, sending), token);
                },
                cancellationToken);
        }
        catch (TimeoutRejectedException e)
        {
            throw new AwsException(service.Id, operation, "Timeout", $"{Host(request)} did not answer within {e.Timeout.TotalSeconds:0.###} s", inner: e);
        }
        catch (BrokenCircuitException e)
        {
            throw new AwsException(
                service.Id, operation, "Circuit", $"held back after repeated failures, the last being: {e.InnerException?.Message}", inner: e);
        }
    }

    private async Task<ImmutableCredentials> KeysAsync(string operation, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(resilience.AttemptTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            return await credentials.GetAsync(service, operation, either.Token);
        }
        catch (OperationCanceledException e) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new AwsException(
                service.Id, operation, "Credentials", $"no AWS credentials were given within {resilience.AttemptTimeout.TotalSeconds:0.###} s", inner: e) { IsRetryable = true };
        }
    }

    private async Task<HttpResponseMessage> AttemptAsync(
        HttpRequestMessage request, string operation, string bodyHash, ImmutableCredentials keys, AwsPace? pace, CancellationToken cancellationToken)
    {
        AwsSignature.Sign(request, bodyHash, keys, region, service.SigningName, clock.UtcNow);
        try
        {
            var response = await base.SendAsync(request, cancellationToken);
            if (response.IsSuccessStatusCode)
            {
                clock.Observe(response.Headers.Date);
                observe(RequestOutcome.Ok);
                usage.Answered(service, operation);
                if (service.JsonVersion.Length > 0 && response.Content.Headers.ContentLength == 0)
                    throw AwsException.Malformed(service, operation, "the answer is empty: check endpoint_url"); // Refit would make null of it.
                return response;
            }

            var error = await AwsError.ReadAsync(response, service, operation, keys, credentials.CanRenew, time.GetUtcNow(), cancellationToken);
            clock.Observe(response.Headers.Date);
            observe(error.IsThrottling ? RequestOutcome.Throttled : RequestOutcome.Error);
            if (service.BillsRefusals && response.StatusCode < HttpStatusCode.InternalServerError)
                usage.Answered(service, operation);
            if (error.IsThrottling)
                pace?.Throttled();
            if (service.HandedOn.Contains(error.Code))
                return response;
            response.Dispose();
            if (AwsError.IsExpired(error.Code))
                credentials.Forget(keys);
            throw error;
        }
        catch (HttpRequestException e)
        {
            observe(RequestOutcome.Error);
            // What is too long will not be shorter the next time.
            var isRetryable = e.HttpRequestError != HttpRequestError.ConfigurationLimitExceeded;
            throw new AwsException(service.Id, operation, "Transport", Explain(e, request), inner: e) { IsRetryable = isRetryable };
        }
        catch (OperationCanceledException)
        {
            observe(RequestOutcome.Timeout); // Of the attempt, or of the collection that waits for it.
            throw;
        }
    }

    private static string OperationOf(HttpRequestMessage request) =>
        request.Headers.TryGetValues("X-Amz-Target", out var targets) ? targets.First().Split('.', 2)[^1]
        : request.Options.TryGetValue(Operation, out var operation) ? operation
        : request.Method.Method;

    private static string Host(HttpRequestMessage request) => request.RequestUri!.Authority;

    private static string Explain(HttpRequestException error, HttpRequestMessage request) => error.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError => $"the name {Host(request)} is unknown: check region (which may lack the service), endpoint_url and DNS",
        HttpRequestError.ConnectionError when error.InnerException is SocketException socket => $"no connection to {Host(request)}: {socket.Message}",
        HttpRequestError.ConnectionError => $"no connection to {Host(request)}",
        HttpRequestError.SecureConnectionError => $"no trusted TLS connection to {Host(request)}: check its certificate and this machine's CA certificates",
        HttpRequestError.ConfigurationLimitExceeded => error.Message,
        HttpRequestError.ResponseEnded => $"{Host(request)} cut the connection before its answer was complete",
        _ => $"the connection to {Host(request)} failed",
    };
}

/// <summary>When to try again, and when to hold back.</summary>
internal sealed record AwsResilience
{
    /// <summary>Retries after the first attempt, one at least.</summary>
    public int Retries { get; init; } = 3;

    /// <summary>Before the first retry; doubled for each further one, with jitter. Retry-After of the answer goes first.</summary>
    public TimeSpan Delay { get; init; } = TimeSpan.FromMilliseconds(500);

    public TimeSpan LongestDelay { get; init; } = TimeSpan.FromSeconds(20);

    public TimeSpan AttemptTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long an operation that keeps failing is left alone.</summary>
    public TimeSpan Break { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Failures within a minute, almost nothing else in between, that bring about the break.</summary>
    public int FailuresBeforeBreak { get; init; } = 10;

    /// <summary>Around all attempts of a request.</summary>
    public ResiliencePipeline<HttpResponseMessage> Retrying(TimeProvider time) =>
        new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<HttpResponseMessage>
            {
                MaxRetryAttempts = Retries,
                Delay = Delay,
                MaxDelay = LongestDelay,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                ShouldHandle = attempt => new(attempt.Outcome.Exception is TimeoutRejectedException or AwsException { IsRetryable: true }),
                DelayGenerator = attempt => new(attempt.Outcome.Exception is AwsException { RetryAfter: { } wait }
                    ? wait < LongestDelay ? wait : LongestDelay
                    : null),
            })
            .Build();

    /// <summary>Around one attempt, of the requests of an operation.</summary>
    public ResiliencePipeline<HttpResponseMessage> Attempting(TimeProvider time) =>
        new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
            // Throttling is no outage, nor are an expired session and a wrong clock: only what never got a sound answer counts.
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<HttpResponseMessage>
            {
                FailureRatio = 0.9,
                MinimumThroughput = FailuresBeforeBreak,
                SamplingDuration = TimeSpan.FromMinutes(1),
                BreakDuration = Break,
                ShouldHandle = attempt => new(attempt.Outcome.Exception is TimeoutRejectedException
                    or AwsException { IsRetryable: true, IsThrottling: false, Status: null or >= HttpStatusCode.InternalServerError }),
            })
            .AddTimeout(new TimeoutStrategyOptions { Timeout = AttemptTimeout })
            .Build();
}
