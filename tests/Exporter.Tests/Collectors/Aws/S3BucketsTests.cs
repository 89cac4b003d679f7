using PipelineExporter.Collectors.Aws;
using PipelineExporter.Sources;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Collectors.Aws;

public sealed class S3BucketsTests : IAsyncLifetime
{
    private const double CreatedAt = 1704164645;
    private const double Day = 86400;

    private readonly LogLines log = new();
    private FakeStores stores = null!;

    public async ValueTask InitializeAsync() => stores = await FakeStores.StartAsync();

    public ValueTask DisposeAsync() => stores.DisposeAsync();

    [Fact]
    public async Task Buckets_are_published_with_their_age_request_metrics_and_rules()
    {
        stores.Buckets.Add(new("logs", FilterIds: ["EntireBucket"], Lifecycle: """
            <Rule><ID>to glacier</ID><Filter><Prefix>hunter2/</Prefix></Filter><Status>Enabled</Status>
              <Transition><Days>30</Days><StorageClass>STANDARD_IA</StorageClass></Transition>
              <Transition><Days>90</Days><StorageClass>GLACIER</StorageClass></Transition>
              <Expiration><Days>365</Days></Expiration>
              <NoncurrentVersionTransition><NoncurrentDays>7</NoncurrentDays><StorageClass>GLACIER</StorageClass></NoncurrentVersionTransition>
              <NoncurrentVersionExpiration><NoncurrentDays>60</NoncurrentDays></NoncurrentVersionExpiration>
              <AbortIncompleteMultipartUpload><DaysAfterInitiation>2</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>
            <Rule><ID>by date</ID><Status>Enabled</Status>
              <Transition><Date>2027-01-01T00:00:00.000Z</Date><StorageClass>DEEP_ARCHIVE</StorageClass></Transition>
              <Expiration><Date>2028-01-01T00:00:00.000Z</Date></Expiration></Rule>
            <Rule><ID>off</ID><Status>Disabled</Status><Expiration><Days>1</Days></Expiration></Rule>
            <Rule><ID>markers</ID><Status>Enabled</Status><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration></Rule>
            """));
        stores.Buckets.Add(new("scripts"));

        Assert.Equal(
            new Dictionary<string, double>
            {
                ["aws_s3_bucket_created_timestamp_seconds{logs}"] = CreatedAt,
                ["aws_s3_request_metrics_enabled{logs}"] = 1,
                ["aws_s3_lifecycle_rules{logs}"] = 3,
                ["aws_s3_lifecycle_rule_info{logs,to glacier,Enabled}"] = 1,
                ["aws_s3_lifecycle_rule_info{logs,by date,Enabled}"] = 1,
                ["aws_s3_lifecycle_rule_info{logs,off,Disabled}"] = 1,
                ["aws_s3_lifecycle_rule_info{logs,markers,Enabled}"] = 1,
                ["aws_s3_lifecycle_transition_seconds{logs,to glacier,current,STANDARD_IA}"] = 30 * Day,
                ["aws_s3_lifecycle_transition_seconds{logs,to glacier,current,GLACIER}"] = 90 * Day,
                ["aws_s3_lifecycle_transition_seconds{logs,to glacier,noncurrent,GLACIER}"] = 7 * Day,
                ["aws_s3_lifecycle_transition_timestamp_seconds{logs,by date,DEEP_ARCHIVE}"] = 1798761600,
                ["aws_s3_lifecycle_expiration_seconds{logs,to glacier,current}"] = 365 * Day,
                ["aws_s3_lifecycle_expiration_seconds{logs,to glacier,noncurrent}"] = 60 * Day,
                ["aws_s3_lifecycle_expiration_timestamp_seconds{logs,by date}"] = 1830297600,
                ["aws_s3_lifecycle_abort_upload_seconds{logs,to glacier}"] = 2 * Day,
                ["aws_s3_bucket_created_timestamp_seconds{scripts}"] = CreatedAt,
                ["aws_s3_request_metrics_enabled{scripts}"] = 0,
                ["aws_s3_lifecycle_rules{scripts}"] = 0,
            }.OrderBy(sample => sample.Key),
            (await PublishedAsync()).OrderBy(sample => sample.Key));
        // A bucket without a lifecycle configuration answers 404.
        Assert.Equal(Enumerable.Repeat(RequestOutcome.Ok, 4).Append(RequestOutcome.Error), stores.Outcomes.Order(StringComparer.Ordinal).Reverse());
    }

    [Fact]
    public async Task What_AWS_would_not_say_of_rules_is_taken_for_what_it_is_worth()
    {
        stores.Buckets.Add(new("odd", Lifecycle: """
            <Rule><Status>Enabled</Status><Expiration><Days>-1</Days></Expiration></Rule>
            <Rule><Status>En-abled!</Status></Rule>
            <Rule><ID>twice</ID><Status>Enabled</Status>
              <Transition><Days>1</Days><StorageClass>HOLOGRAPHIC_IA</StorageClass></Transition>
              <Transition><Days>2</Days><StorageClass>HOLOGRAPHIC_IA</StorageClass></Transition>
              <Transition><Days>3</Days><StorageClass>two words</StorageClass></Transition>
              <Transition><Days>4</Days></Transition></Rule>
            <Rule><ID>twice</ID><Status>Paused</Status></Rule>
            """));

        Assert.Equal(
            new Dictionary<string, double>
            {
                ["aws_s3_lifecycle_rules{odd}"] = 2,
                ["aws_s3_lifecycle_rule_info{odd,#1,Enabled}"] = 1,
                ["aws_s3_lifecycle_rule_info{odd,#2,other}"] = 1,
                ["aws_s3_lifecycle_rule_info{odd,twice,Enabled}"] = 1,
                ["aws_s3_lifecycle_transition_seconds{odd,twice,current,HOLOGRAPHIC_IA}"] = Day,
                ["aws_s3_lifecycle_transition_seconds{odd,twice,current,other}"] = 3 * Day,
            }.OrderBy(sample => sample.Key),
            (await PublishedAsync()).Where(sample => sample.Key.Contains("lifecycle", StringComparison.Ordinal)).OrderBy(sample => sample.Key));
    }

    [Fact]
    public async Task Buckets_and_filters_are_read_to_the_last_page()
    {
        stores.Buckets.AddRange(Enumerable.Range(0, 5).Select(i => new FakeBucket($"b{i}", FilterIds: [.. Enumerable.Range(0, i).Select(id => $"f{id}")])));

        var collector = Collector();
        var snapshot = await collector.CollectAsync(CancellationToken.None);

        Assert.Equal(["b0:", "b1:f0", "b2:f0,f1", "b3:f0,f1,f2", "b4:f0,f1,f2,f3"], snapshot.Buckets.Select(bucket => $"{bucket.Name}:{string.Join(',', bucket.FilterIds)}"));
        Assert.Equal(10, collector.Filters.Count);
        Assert.Contains(("b4", "f3"), collector.Filters);
        Assert.Equal(3, stores.Count("ListBuckets"));
        Assert.Equal(7, stores.Count("ListBucketMetricsConfigurations"));
    }

    [Fact]
    public async Task Buckets_of_other_regions_and_those_not_selected_are_left_out()
    {
        stores.Buckets.AddRange([new("here"), new("there", "eu-north-1"), new("unwanted")]);

        var list = await stores.BucketCatalog(name => name != "unwanted").GetAsync(CancellationToken.None);

        Assert.Equal("here", Assert.Single(list.Buckets).Key);
        Assert.Equal(["ListBuckets ", "ListBuckets "], stores.Asked);
    }

    [Fact]
    public async Task A_server_that_tells_no_regions_is_asked_for_each_buckets()
    {
        stores.IsModern = false;
        stores.Buckets.AddRange([new("here"), new("old", "EU"), new("american", ""), new("northern", "eu-north-1"), new("hidden")]);
        stores.Interfere = (operation, bucket) => (operation, bucket) is ("GetBucketLocation", "hidden") ? FakeStores.S3Error(403, "AccessDenied") : null;

        var list = await stores.BucketCatalog().GetAsync(CancellationToken.None);

        Assert.Equal(["here", "old"], list.Buckets.Keys);
        Assert.Equal("GetBucketLocation", list.Refusal?.Operation);
    }

    [Fact]
    public async Task What_IAM_denies_is_left_out_shown_and_logged_once()
    {
        stores.Buckets.AddRange([new("a", FilterIds: ["f"]), new("b", FilterIds: ["f"]), new("c")]);
        stores.Interfere = (operation, bucket) =>
            (operation, bucket) is ("GetBucketLifecycleConfiguration", _) or ("ListBucketMetricsConfigurations", "a")
                ? FakeStores.S3Error(403, "AccessDenied", "User: arn:aws:iam::123456789012:user/x is not authorized")
                : null;
        var collector = Collector();

        for (var poll = 0; poll < 2; poll++)
        {
            var published = await PublishedAsync(collector);
            Assert.Equal(
                [
                    "aws_s3_bucket_created_timestamp_seconds{a}", "aws_s3_bucket_created_timestamp_seconds{b}", "aws_s3_bucket_created_timestamp_seconds{c}",
                    "aws_s3_request_metrics_enabled{b}", "aws_s3_request_metrics_enabled{c}",
                    "pipeline_exporter_aws_access_denied{GetBucketLifecycleConfiguration}", "pipeline_exporter_aws_access_denied{ListBucketMetricsConfigurations}",
                ],
                published.Keys.Order(StringComparer.Ordinal));
            stores.Time.Advance(TimeSpan.FromMinutes(15));
        }

        Assert.Equal(2, log.All.Count);
        Assert.Contains("Allow s3:GetMetricsConfiguration in the IAM policy of the exporter's role.", log.All[0], StringComparison.Ordinal);
        Assert.Contains("Allow s3:GetLifecycleConfiguration in the IAM policy of the exporter's role.", log.All[1], StringComparison.Ordinal);

        stores.Interfere = (_, _) => null;
        Assert.DoesNotContain(await PublishedAsync(collector), sample => sample.Key.Contains("denied", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_the_list_there_is_nothing_and_the_action_is_named()
    {
        stores.Interfere = (_, _) => FakeStores.S3Error(403, "AccessDenied", "no");

        var error = await Assert.ThrowsAsync<AwsException>(() => PublishedAsync());

        Assert.Equal("S3 ListBuckets answered 403 AccessDenied: no. Allow s3:ListAllMyBuckets in the IAM policy of the exporter's role.", error.Message);
    }

    [Theory]
    [InlineData(404, "NoSuchLifecycleConfiguration", 1)]
    [InlineData(403, "AccessDenied", 1)]
    [InlineData(503, "SlowDown", 0)]
    public async Task A_refusal_costs_as_much_as_an_answer_and_an_error_of_S3_nothing(int status, string code, long billed)
    {
        stores.Interfere = (operation, _) => operation == "GetBucketLifecycleConfiguration" ? FakeStores.S3Error(status, code) : null;
        try
        {
            await stores.Source.S3.GetBucketLifecycleConfigurationAsync("a", default);
        }
        catch (AwsException e)
        {
            Assert.Equal(code, e.Code);
        }

        Assert.Equal(billed, stores.Source.Usage.Requests.GetValueOrDefault(("S3", "GetBucketLifecycleConfiguration")));
    }

    [Theory]
    [InlineData("ListBucketMetricsConfigurations", 404, "NoSuchBucket")]
    [InlineData("GetBucketLifecycleConfiguration", 404, "NoSuchBucket")]
    [InlineData("GetBucketLifecycleConfiguration", 301, "PermanentRedirect")]
    public async Task A_bucket_that_is_gone_meanwhile_drops_out(string operation, int status, string code)
    {
        stores.Buckets.AddRange([new("gone"), new("stays")]);
        stores.Interfere = (asked, bucket) => asked == operation && bucket == "gone" ? FakeStores.S3Error(status, code) : null;

        Assert.DoesNotContain(await PublishedAsync(), sample => sample.Key.Contains("gone", StringComparison.Ordinal));
        Assert.Empty(log.All);
    }

    [Fact]
    public async Task A_throttled_request_is_sent_again_and_counted()
    {
        stores.Buckets.Add(new("a"));
        var refusals = 1;
        stores.Interfere = (operation, _) => operation == "GetBucketLifecycleConfiguration" && refusals-- > 0 ? FakeStores.S3Error(503, "SlowDown") : null;

        Assert.Contains("aws_s3_lifecycle_rules{a}", await PublishedAsync());
        Assert.Equal([RequestOutcome.Ok, RequestOutcome.Ok, RequestOutcome.Throttled, RequestOutcome.Error], stores.Outcomes);
    }

    [Fact]
    public async Task What_cannot_be_read_of_one_bucket_is_missing_there_and_told()
    {
        stores.Buckets.AddRange([new("a", FilterIds: ["f"]), new("b", FilterIds: ["f"])]);
        stores.Interfere = (operation, bucket) => (operation, bucket) is ("GetBucketLifecycleConfiguration", "a") ? FakeStores.S3Error(500, "InternalError", "oops") : null;
        var collector = Collector();

        var snapshot = await collector.CollectAsync(CancellationToken.None);

        Assert.Equal("1 of 2 could not be told of, the first: S3 GetBucketLifecycleConfiguration answered 500 InternalError: oops", collector.FailureIn(snapshot)?.Message);
        Assert.Equal(
            ["aws_s3_bucket_created_timestamp_seconds{a}", "aws_s3_bucket_created_timestamp_seconds{b}", "aws_s3_lifecycle_rules{b}", "aws_s3_request_metrics_enabled{a}", "aws_s3_request_metrics_enabled{b}"],
            GlueRig.Written(collector, snapshot).Keys.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Filters_that_cannot_be_read_this_time_are_those_that_were_read_before()
    {
        stores.Buckets.AddRange([new("a", FilterIds: ["f", "g"]), new("b", FilterIds: ["f"]), new("c", FilterIds: ["f"]), new("d", FilterIds: ["f"])]);
        var collector = Collector();
        await collector.CollectAsync(CancellationToken.None);

        stores.Buckets.RemoveAll(bucket => bucket.Name == "d");
        stores.Interfere = (operation, bucket) => (operation, bucket) switch
        {
            ("ListBucketMetricsConfigurations", "a") => FakeStores.S3Error(500, "InternalError"),
            ("ListBucketMetricsConfigurations", "b") => FakeStores.S3Error(403, "AccessDenied"),
            ("ListBucketMetricsConfigurations", "c") => FakeStores.S3Error(404, "NoSuchBucket"),
            _ => null,
        };
        stores.Time.Advance(TimeSpan.FromMinutes(15));
        Assert.NotNull(collector.FailureIn(await collector.CollectAsync(CancellationToken.None)));
        Assert.Equal([("a", "f"), ("a", "g"), ("b", "f")], collector.Filters.Order());

        stores.Interfere = (_, _) => null;
        stores.Buckets[0] = new("a", FilterIds: ["h"]);
        stores.Time.Advance(TimeSpan.FromMinutes(15));
        await collector.CollectAsync(CancellationToken.None);
        Assert.Equal([("a", "h"), ("b", "f"), ("c", "f")], collector.Filters.Order());
    }

    [Fact]
    public async Task When_the_days_money_is_spent_nothing_is_asked_any_more_and_what_was_known_stays()
    {
        stores.Buckets.AddRange([new("a", FilterIds: ["f"]), new("b")]);
        var exhausted = true;
        var collector = new S3Buckets(stores.Source, stores.BucketCatalog(), TimeSpan.FromMinutes(15), log) { IsExhausted = () => exhausted };
        stores.Interfere = (operation, _) => operation == "ListBuckets" ? FakeStores.S3Error(500, "InternalError") : null;
        await Assert.ThrowsAsync<AwsException>(() => PublishedAsync(collector));
        stores.Interfere = (_, _) => null;
        var published = await PublishedAsync(collector); // without it nothing would be known
        var asked = stores.Asked.Count;

        stores.Buckets.RemoveAll(bucket => bucket.Name == "b");
        stores.Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(published, await PublishedAsync(collector));
        Assert.Equal([("a", "f")], collector.Filters);
        Assert.Equal(asked, stores.Asked.Count);

        exhausted = false;
        Assert.DoesNotContain("aws_s3_lifecycle_rules{b}", await PublishedAsync(collector));
    }

    [Theory]
    [InlineData("application/xml", "<ListAllMyBucketsResult><Buckets><Bucket><Name>hunter2")]
    [InlineData("application/xml", "<ListAllMyBucketsResult><Buckets><Bucket><Name>a</Name><CreationDate>hunter2</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>")]
    [InlineData("application/xml", "<ListAllMyBucketsResult><Buckets><Bucket><CreationDate>2024-01-02T03:04:05.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>")]
    [InlineData("application/xml", "<!DOCTYPE a [<!ENTITY x \"hunter2\">]><ListAllMyBucketsResult><Buckets><Bucket><Name>&x;</Name></Bucket></Buckets></ListAllMyBucketsResult>")]
    [InlineData("application/xml", "<ListAllMyBucketsResult><Owner><ID>1</ID></Owner><Buckets/><ContinuationToken>hunter2</ContinuationToken></ListAllMyBucketsResult>")]
    [InlineData("application/xml", "hunter2")]
    [InlineData("application/xml", "")]
    [InlineData("text/html", "<html><p>Please log in, hunter2</p></html>")]
    [InlineData("application/json", "{\"hunter2\":1}")]
    public async Task A_lying_server_is_no_empty_list_and_its_words_are_kept_to_itself(string type, string body)
    {
        stores.ContentType = type;
        stores.Interfere = (_, _) => (200, body);

        var error = await Assert.ThrowsAsync<AwsException>(() => PublishedAsync());

        Assert.Equal(("S3", "ListBuckets", "Malformed"), (error.Service, error.Operation, error.Code));
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<LifecycleConfiguration><Rule><Status>Enabled</Status><Expiration><Days>hunter2</Days></Expiration></Rule></LifecycleConfiguration>")]
    [InlineData("<LifecycleConfiguration><Rule><Status>Enabled</Status><Expiration><Days>99999999999999</Days></Expiration></Rule></LifecycleConfiguration>")]
    public async Task A_number_that_is_none_is_not_published(string body)
    {
        stores.Buckets.Add(new("a"));
        stores.Interfere = (operation, _) => operation == "GetBucketLifecycleConfiguration" ? (200, body) : null;

        var error = await Assert.ThrowsAsync<AwsException>(() => PublishedAsync());

        Assert.StartsWith("S3 GetBucketLifecycleConfiguration: the answer is not what AWS sends", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_list_is_read_at_its_collectors_turn_and_shared()
    {
        stores.Buckets.Add(new("a"));
        var catalog = stores.BucketCatalog();

        var list = await catalog.RefreshAsync(CancellationToken.None);
        Assert.Same(list, await catalog.GetAsync(CancellationToken.None));
        stores.Time.Advance(TimeSpan.FromMinutes(14.5)); // Turns come a little early, or late.
        Assert.Same(list, await catalog.GetAsync(CancellationToken.None));
        var second = await catalog.RefreshAsync(CancellationToken.None);
        Assert.Same(second, await catalog.RefreshAsync(CancellationToken.None));
        Assert.Equal(2, stores.Count("ListBuckets"));

        stores.Time.Advance(TimeSpan.FromMinutes(31));
        Assert.NotSame(second, await catalog.GetAsync(CancellationToken.None));
    }

    [Fact]
    public async Task CloudWatch_is_asked_for_the_buckets_known_last()
    {
        stores.Buckets.Add(new("a"));
        stores.Interfere = (_, _) => FakeStores.S3Error(500, "InternalError");
        var catalog = stores.BucketCatalog(name => name != "z");
        await Assert.ThrowsAsync<AwsException>(() => catalog.GetAsync(CancellationToken.None));
        Assert.Null(catalog.Watched().Existing);

        stores.Interfere = (_, _) => null;
        await catalog.GetAsync(CancellationToken.None);
        Assert.Equal("a", Assert.Single(catalog.Watched().Known));
        stores.Time.Advance(TimeSpan.FromMinutes(31));
        stores.Interfere = (_, _) => FakeStores.S3Error(500, "InternalError");

        var watched = catalog.Watched();
        Assert.Equal((true, false), (watched.Contains("a"), watched.Contains("gone")));
        await Assert.ThrowsAsync<AwsException>(() => catalog.GetAsync(CancellationToken.None));
    }

    private S3Buckets Collector() => new(stores.Source, stores.BucketCatalog(), TimeSpan.FromMinutes(15), log);

    private async Task<IReadOnlyDictionary<string, double>> PublishedAsync(S3Buckets? collector = null)
    {
        collector ??= Collector();
        return GlueRig.Written(collector, await collector.CollectAsync(CancellationToken.None));
    }
}
