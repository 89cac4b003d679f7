using System.Net;
using System.Xml.Linq;

namespace PipelineExporter.Simulator.Tests.Aws;

public sealed class S3ServiceTests(SimulatorFixture fixture) : IClassFixture<SimulatorFixture>
{
    static readonly string[] Buckets =
        ["music-streaming-kpi", "music-streaming-logs", "music-streaming-raw", "music-streaming-scripts", "music-streaming-validated"];

    [Fact]
    public async Task Lists_the_buckets_of_all_regions_without_their_region()
    {
        foreach (var region in new[] { "eu-west-1", "us-east-1" })
        {
            var xml = await GetAsync("/", region: region);

            Assert.Equal("ListAllMyBucketsResult", xml.Name.LocalName);
            Assert.Equal("http://s3.amazonaws.com/doc/2006-03-01/", xml.Name.NamespaceName);
            Assert.Equal(Buckets, Names(xml));
            Assert.Empty(Texts(xml, "BucketRegion"));
        }
    }

    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 3)]
    [InlineData(5, 1)]
    [InlineData(10_000, 1)]
    public async Task Pages_of_buckets_say_where_they_are(int size, int expected)
    {
        List<string> names = [];
        var (pages, token) = (0, "");
        for (; token is not null; pages++)
        {
            var xml = await GetAsync(token.Length == 0 ? $"/?max-buckets={size}" : $"/?continuation-token={token}&max-buckets={size}");
            Assert.Equal(Names(xml).Count, Texts(xml, "BucketRegion").Count(region => region == "eu-west-1"));
            names.AddRange(Names(xml));
            token = Texts(xml, "ContinuationToken").SingleOrDefault();
        }

        Assert.Equal(Buckets, names);
        Assert.Equal(expected, pages);
    }

    [Theory]
    [InlineData("bucket-region=eu-west-1", 5)]
    [InlineData("bucket-region=us-east-1", 0)]
    [InlineData("prefix=music-streaming-r", 1)]
    public async Task Buckets_are_filtered(string query, int count) => Assert.Equal(count, Names(await GetAsync($"/?{query}")).Count);

    [Fact]
    public async Task A_bucket_has_a_place_rules_and_configurations()
    {
        Assert.Equal("eu-west-1", (await GetAsync("/music-streaming-raw?location")).Value);
        Assert.Contains("GLACIER", Texts(await GetAsync("/music-streaming-logs?lifecycle"), "StorageClass"));
        Assert.Equal(["EntireBucket"], Texts(await GetAsync("/music-streaming-raw?metrics"), "Id"));
        Assert.Equal(["false"], Texts(await GetAsync("/music-streaming-raw?metrics"), "IsTruncated"));
        Assert.Empty(Texts(await GetAsync("/music-streaming-scripts?metrics"), "Id"));
    }

    [Theory]
    [InlineData("/nothing?lifecycle", "eu-west-1", 404, "NoSuchBucket")]
    [InlineData("/music-streaming-scripts?lifecycle", "eu-west-1", 404, "NoSuchLifecycleConfiguration")]
    [InlineData("/music-streaming-raw?lifecycle", "us-east-1", 400, "AuthorizationHeaderMalformed")]
    [InlineData("/music-streaming-raw?lifecycle", "eu-central-1", 301, "PermanentRedirect")]
    [InlineData("/music-streaming-raw?tagging", "eu-west-1", 501, "NotImplemented")]
    [InlineData("/music-streaming-raw/object", "eu-west-1", 501, "NotImplemented")]
    [InlineData("/?max-buckets=0", "eu-west-1", 400, "InvalidArgument")]
    [InlineData("/?continuation-token=x", "eu-west-1", 400, "InvalidArgument")]
    public async Task Errors_are_s3s_own(string target, string region, int status, string code)
    {
        using var client = Client(region);
        using var answer = await client.S3Async(target);
        var xml = XElement.Parse(await BodyAsync(answer));

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("Error", xml.Name.ToString());
        Assert.Equal(code, (string?)xml.Element("Code"));
        Assert.Equal(Assert.Single(answer.Headers.GetValues("x-amz-request-id")), (string?)xml.Element("RequestId"));
        if (region != "eu-west-1")
            Assert.Equal("eu-west-1", Assert.Single(answer.Headers.GetValues("x-amz-bucket-region")));
    }

    [Fact]
    public async Task The_global_endpoint_knows_where_a_bucket_is() =>
        Assert.Equal("eu-west-1", (await GetAsync("/music-streaming-raw?location", region: "us-east-1")).Value);

    [Theory]
    [InlineData("/music-streaming-raw", "eu-west-1", 200)]
    [InlineData("/music-streaming-raw", "us-west-2", 301)]
    [InlineData("/nothing", "eu-west-1", 404)]
    public async Task Head_answers_without_a_body(string target, string region, int status)
    {
        using var client = Client(region);
        using var answer = await client.S3Async(target, HttpMethod.Head);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("", await BodyAsync(answer));
        Assert.Equal(status != 404, answer.Headers.Contains("x-amz-bucket-region"));
    }

    [Theory]
    [InlineData("music-streaming-raw.s3.eu-west-1.amazonaws.com")]
    [InlineData("music-streaming-raw.localhost:9895")]
    [InlineData("music-streaming-raw.s3.localhost:9895")]
    public async Task A_bucket_can_stand_in_the_host(string host)
    {
        using var client = Client();
        using var answer = await client.S3Async("/?metrics", host: host);

        Assert.Equal(["EntireBucket"], Texts(XElement.Parse(await BodyAsync(answer)), "Id"));
    }

    [Theory]
    [InlineData("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", HttpStatusCode.OK)]
    [InlineData("UNSIGNED-PAYLOAD", HttpStatusCode.OK)]
    [InlineData("STREAMING-UNSIGNED-PAYLOAD-TRAILER", HttpStatusCode.OK)]
    [InlineData("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", HttpStatusCode.OK)]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000", HttpStatusCode.Forbidden)]
    public async Task The_signature_covers_what_is_said_of_the_body(string payload, HttpStatusCode status)
    {
        using var client = Client();
        using var answer = await client.S3Async("/", payload: payload);

        Assert.Equal(status, answer.StatusCode);
    }

    [Theory]
    [InlineData("/", "text/html")]
    [InlineData("/simulator/incidents", "application/json")]
    public async Task Paths_of_the_simulator_stay_its_own(string path, string contentType)
    {
        using var http = new HttpClient { BaseAddress = fixture.Simulator.Address };
        using var page = await http.GetAsync(path, TestContext.Current.CancellationToken);
        using var nothing = await http.GetAsync("/music-streaming-raw", TestContext.Current.CancellationToken);

        Assert.Equal(contentType, page.Content.Headers.ContentType!.MediaType);
        Assert.Equal(HttpStatusCode.NotFound, nothing.StatusCode);
        using var client = Client();
        using var signed = await client.S3Async("/simulator/incidents");
        Assert.Equal("application/json", signed.Content.Headers.ContentType!.MediaType);
    }

    async Task<XElement> GetAsync(string target, string region = "eu-west-1")
    {
        using var client = Client(region);
        using var answer = await client.S3Async(target);
        var body = await BodyAsync(answer);
        Assert.True(answer.StatusCode == HttpStatusCode.OK, body);
        return XElement.Parse(body);
    }

    AwsTestClient Client(string region = "eu-west-1") => new(fixture.Simulator.Address, TimeProvider.System) { Region = region };

    static List<string> Names(XElement xml) => [.. Texts(xml, "Name")];

    static IEnumerable<string> Texts(XElement xml, string name) => xml.Descendants().Where(element => element.Name.LocalName == name).Select(element => element.Value);

    static Task<string> BodyAsync(HttpResponseMessage answer) => answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
}
