using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.Http;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Aws;

/// <summary>S3's buckets, of the caller's account; in the one region, which other regions point to.</summary>
internal sealed class S3Service(AwsAccounts accounts)
{
    public const string Name = "s3";

    /// <summary>Whose endpoint knows the buckets of all regions.</summary>
    const string GlobalRegion = "us-east-1";

    const int MaxBuckets = 10_000;
    const int ConfigurationsPage = 100;

    public AwsService Describe() => new AwsService
    {
        Name = Name,
        SigningName = "s3",
        XmlNamespace = "http://s3.amazonaws.com/doc/2006-03-01/",
        ActionOf = operation => operation switch
        {
            "ListBuckets" => "ListAllMyBuckets",
            "HeadBucket" => "ListBucket",
            "GetBucketLifecycleConfiguration" => "GetLifecycleConfiguration",
            "ListBucketMetricsConfigurations" => "GetMetricsConfiguration",
            _ => operation,
        },
    }
    .Rest("ListBuckets", ListBuckets)
    .Rest("HeadBucket", HeadBucket)
    .Rest("GetBucketLocation", GetBucketLocation)
    .Rest("GetBucketLifecycleConfiguration", GetBucketLifecycleConfiguration)
    .Rest("ListBucketMetricsConfigurations", ListBucketMetricsConfigurations);

    /// <summary>Of all regions, from each of them; a bucket's region is told to who asks for pages or for one region.</summary>
    XElement ListBuckets(S3Request request, AwsCall call)
    {
        var account = accounts.Of(call);
        var (prefix, region, token) = (request.Parameter("prefix") ?? "", request.Parameter("bucket-region"), request.Parameter("continuation-token"));
        var size = request.Parameter("max-buckets") is not { } text ? MaxBuckets
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var max) && max is >= 1 and <= MaxBuckets ? max
            : throw new AwsException("InvalidArgument", "Argument max-buckets must be an integer between 1 and 10000")
            {
                Details = [("ArgumentName", "max-buckets"), ("ArgumentValue", text)],
            };
        var page = account.Buckets
            .Where(bucket => bucket.Name.StartsWith(prefix, StringComparison.Ordinal) && (region ?? AwsCredentials.Region) == AwsCredentials.Region)
            .OrderBy(bucket => bucket.Name, StringComparer.Ordinal)
            .SkipWhile(After("buckets", token))
            .Take(size + 1)
            .ToList();
        var isPaged = request.Query.Keys.Any(key => key is "prefix" or "bucket-region" or "continuation-token" or "max-buckets");
        return new XElement(
            "ListAllMyBucketsResult",
            new XElement("Owner", new XElement("ID", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(account.Id))))),
            new XElement("Buckets", page.Take(size).Select(bucket => new XElement(
                "Bucket",
                new XElement("Name", bucket.Name),
                new XElement("CreationDate", bucket.CreatedOn.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture)),
                isPaged ? new XElement("BucketRegion", AwsCredentials.Region) : null))),
            page.Count > size ? new XElement("ContinuationToken", PageToken.Write("buckets", page[size - 1].Name)) : null,
            prefix.Length > 0 ? new XElement("Prefix", prefix) : null);
    }

    XElement? HeadBucket(S3Request request, AwsCall call)
    {
        Bucket(request, call);
        return null;
    }

    XElement GetBucketLocation(S3Request request, AwsCall call)
    {
        Bucket(request, call, isKnownGlobally: true);
        return new XElement("LocationConstraint", AwsCredentials.Region);
    }

    XElement GetBucketLifecycleConfiguration(S3Request request, AwsCall call)
    {
        var bucket = Bucket(request, call);
        if (bucket.LifecycleRules.IsEmpty)
            throw new AwsException("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist", StatusCodes.Status404NotFound)
            {
                Details = [("BucketName", bucket.Name)],
            };
        return new XElement("LifecycleConfiguration", bucket.LifecycleRules.Select(Shape));
    }

    static XElement Shape(LifecycleRule rule) => new(
        "Rule",
        new XElement("ID", rule.Id),
        new XElement("Filter", new XElement("Prefix", rule.Prefix)),
        new XElement("Status", rule.IsEnabled ? "Enabled" : "Disabled"),
        rule.Transitions.Select(transition => new XElement(
            "Transition", new XElement("Days", transition.Days), new XElement("StorageClass", transition.StorageClass))),
        Days("Expiration", "Days", rule.ExpirationDays),
        rule.NoncurrentTransitions.Select(transition => new XElement(
            "NoncurrentVersionTransition", new XElement("NoncurrentDays", transition.Days), new XElement("StorageClass", transition.StorageClass))),
        Days("NoncurrentVersionExpiration", "NoncurrentDays", rule.NoncurrentExpirationDays),
        Days("AbortIncompleteMultipartUpload", "DaysAfterInitiation", rule.AbortUploadDays));

    static XElement? Days(string action, string unit, int? days) => days is null ? null : new(action, new XElement(unit, days));

    XElement ListBucketMetricsConfigurations(S3Request request, AwsCall call)
    {
        var token = request.Parameter("continuation-token");
        var page = Bucket(request, call).MetricsFilters.Order(StringComparer.Ordinal).SkipWhile(AfterId("metrics", token)).Take(ConfigurationsPage + 1).ToList();
        var isTruncated = page.Count > ConfigurationsPage;
        return new XElement(
            "ListMetricsConfigurationsResult",
            page.Take(ConfigurationsPage).Select(id => new XElement("MetricsConfiguration", new XElement("Id", id))),
            new XElement("IsTruncated", isTruncated),
            token is null ? null : new XElement("ContinuationToken", token),
            isTruncated ? new XElement("NextContinuationToken", PageToken.Write("metrics", page[ConfigurationsPage - 1])) : null);
    }

    /// <exception cref="AwsException">There is no such bucket, it is somebody else's, or of another region.</exception>
    BucketDefinition Bucket(S3Request request, AwsCall call, bool isKnownGlobally = false)
    {
        var name = request.Bucket!;
        if (accounts.OwnerOf(name) is not { } owner)
            throw new AwsException("NoSuchBucket", "The specified bucket does not exist", StatusCodes.Status404NotFound) { Details = [("BucketName", name)] };
        request.Answer["x-amz-bucket-region"] = AwsCredentials.Region;
        if (owner.Id != call.Principal.AccountId)
            throw new AwsException("AccessDenied", "Access Denied", StatusCodes.Status403Forbidden);
        if (call.Region == AwsCredentials.Region || (isKnownGlobally && call.Region == GlobalRegion))
            return owner.Bucket(name)!;
        throw call.Region == GlobalRegion
            ? new AwsException(
                "AuthorizationHeaderMalformed",
                $"The authorization header is malformed; the region '{call.Region}' is wrong; expecting '{AwsCredentials.Region}'")
            {
                Details = [("Region", AwsCredentials.Region)],
            }
            : new AwsException(
                "PermanentRedirect",
                "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint.",
                StatusCodes.Status301MovedPermanently)
            {
                Details = [("Endpoint", $"{name}.s3.{AwsCredentials.Region}.amazonaws.com"), ("Bucket", name)],
            };
    }

    static Func<BucketDefinition, bool> After(string kind, string? token)
    {
        var after = AfterId(kind, token);
        return bucket => after(bucket.Name);
    }

    /// <summary>What stands on the pages before.</summary>
    static Func<string, bool> AfterId(string kind, string? token)
    {
        var last = token is null ? "" : PageToken.Read(token, kind) is [var id]
            ? id
            : throw new AwsException("InvalidArgument", "The continuation token provided is incorrect")
            {
                Details = [("ArgumentName", "continuation-token")],
            };
        return name => string.CompareOrdinal(name, last) <= 0;
    }
}
