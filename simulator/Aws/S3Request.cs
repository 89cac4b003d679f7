using System.Net;
using Microsoft.AspNetCore.Http;

namespace PipelineExporter.Simulator.Aws;

/// <summary>A REST request of S3: what its method, host, path and query say.</summary>
/// <param name="Bucket">Null of the whole account.</param>
internal sealed record S3Request(string Method, string? Bucket, string Key, IQueryCollection Query, IHeaderDictionary Answer)
{
    public static S3Request Of(HttpContext context)
    {
        var path = context.Request.Path.Value!.TrimStart('/');
        if (BucketOf(context.Request.Host.Host) is { } bucket)
            return new(context.Request.Method, bucket, path, context.Request.Query, context.Response.Headers);
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        var (name, key) = slash < 0 ? (path, "") : (path[..slash], path[(slash + 1)..]);
        return new(context.Request.Method, name.Length > 0 ? name : null, key, context.Request.Query, context.Response.Headers);
    }

    public string? Parameter(string name) => Query[name] is [{ } value] ? value : null;

    /// <summary>The operation in S3's own words; null for one that the simulator does not have.</summary>
    public string? Operation => (Method, Bucket, Key) switch
    {
        ("GET", null, _) => "ListBuckets",
        (_, _, not "") => null,
        ("HEAD", _, _) => "HeadBucket",
        ("GET", _, _) when Query.ContainsKey("location") => "GetBucketLocation",
        ("GET", _, _) when Query.ContainsKey("lifecycle") => "GetBucketLifecycleConfiguration",
        ("GET", _, _) when Query.ContainsKey("metrics") && !Query.ContainsKey("id") => "ListBucketMetricsConfigurations",
        _ => null,
    };

    /// <summary>Virtual-host style: what stands before .s3. or .localhost.</summary>
    static string? BucketOf(string host)
    {
        if (IPAddress.TryParse(host, out _))
            return null;
        var end = host.IndexOf(".s3.", StringComparison.OrdinalIgnoreCase);
        if (end < 0 && host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase) && !host.StartsWith("s3.", StringComparison.OrdinalIgnoreCase))
            end = host.Length - ".localhost".Length;
        return end > 0 ? host[..end] : null;
    }
}
