using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Tests.Sources.Aws;

public sealed class AwsEndpointsTests
{
    [Theory]
    [InlineData("eu-west-1", "https://glue.eu-west-1.amazonaws.com/")]
    [InlineData("cn-north-1", "https://glue.cn-north-1.amazonaws.com.cn/")]
    [InlineData("us-gov-west-1", "https://glue.us-gov-west-1.amazonaws.com/")]
    [InlineData("eu-west-99", "https://glue.eu-west-99.amazonaws.com/")]
    public void AWS_answers_in_the_region_and_its_partition(string region, string expected) =>
        Assert.Equal(expected, Own(AwsService.Glue, region));

    [Theory]
    [InlineData("eu-west-1", "https://env.airflow.eu-west-1.amazonaws.com/")]
    [InlineData("cn-north-1", "https://env.airflow.cn-north-1.amazonaws.com.cn/")]
    [InlineData("us-gov-west-1", "https://env.airflow.us-gov-west-1.amazonaws.com/")]
    public void The_environments_of_MWAA_answer_at_a_host_of_their_own(string region, string expected) =>
        Assert.Equal(expected, Own(AwsService.Mwaa, region));

    [Fact]
    public void CloudWatch_is_called_monitoring() =>
        Assert.Equal("https://monitoring.eu-west-1.amazonaws.com/", Own(AwsService.CloudWatch, "eu-west-1"));

    // As the endpoint rules of AWS's own SDKs have it.
    [Theory]
    [InlineData("monitoring", "us-east-1", "https://monitoring-fips.us-east-1.amazonaws.com/")]
    [InlineData("glue", "us-east-1", "https://glue-fips.us-east-1.amazonaws.com/")]
    [InlineData("dynamodb", "ca-central-1", "https://dynamodb-fips.ca-central-1.amazonaws.com/")]
    [InlineData("s3", "us-west-2", "https://s3-fips.us-west-2.amazonaws.com/")]
    [InlineData("sts", "us-east-2", "https://sts-fips.us-east-2.amazonaws.com/")]
    [InlineData("airflow", "us-east-1", "https://env.airflow-fips.us-east-1.amazonaws.com/")]
    [InlineData("monitoring", "us-gov-west-1", "https://monitoring.us-gov-west-1.amazonaws.com/")]
    [InlineData("glue", "us-gov-west-1", "https://glue-fips.us-gov-west-1.amazonaws.com/")]
    [InlineData("dynamodb", "us-gov-east-1", "https://dynamodb.us-gov-east-1.amazonaws.com/")]
    [InlineData("s3", "us-gov-west-1", "https://s3-fips.us-gov-west-1.amazonaws.com/")]
    [InlineData("sts", "us-gov-west-1", "https://sts.us-gov-west-1.amazonaws.com/")]
    [InlineData("airflow", "us-gov-west-1", "https://env.airflow-fips.us-gov-west-1.amazonaws.com/")]
    public void FIPS_has_hosts_of_its_own(string service, string region, string expected)
    {
        var known = new[] { AwsService.CloudWatch, AwsService.Glue, AwsService.DynamoDb, AwsService.S3, AwsService.SecurityToken, AwsService.Mwaa };
        Assert.Equal(expected, Own(known.Single(candidate => candidate.SigningName == service), region, useFips: true));
    }

    [Fact]
    public void FIPS_is_switched_on_by_the_environment_too_and_never_changes_an_address_that_is_given()
    {
        Assert.Equal("https://glue-fips.eu-west-1.amazonaws.com/", Resolve(null, ("AWS_USE_FIPS_ENDPOINT", "true")));
        Assert.Equal("https://glue.eu-west-1.amazonaws.com/", Resolve(null, ("AWS_USE_FIPS_ENDPOINT", "false")));
        Assert.Equal("http://every/", Resolve(null, ("AWS_USE_FIPS_ENDPOINT", "true"), ("AWS_ENDPOINT_URL", "http://every")));
    }

    [Theory]
    [InlineData("cn-northwest-1", "https://sts.cn-northwest-1.amazonaws.com.cn/")]
    [InlineData("us-gov-east-1", "https://sts.us-gov-east-1.amazonaws.com/")]
    [InlineData("us-east-1", "https://sts.us-east-1.amazonaws.com/")]
    public void STS_is_asked_in_the_region_itself(string region, string expected) =>
        Assert.Equal(expected, Own(AwsService.SecurityToken, region));

    [Theory]
    [InlineData("DynamoDB", "AWS_ENDPOINT_URL_DYNAMODB")]
    [InlineData("S3", "AWS_ENDPOINT_URL_S3")]
    [InlineData("STS", "AWS_ENDPOINT_URL_STS")]
    [InlineData("MWAA", "AWS_ENDPOINT_URL_MWAA")]
    [InlineData("CloudWatch", "AWS_ENDPOINT_URL_CLOUDWATCH")]
    public void Each_service_has_a_variable_of_its_own(string service, string variable)
    {
        var known = new[] { AwsService.CloudWatch, AwsService.DynamoDb, AwsService.S3, AwsService.SecurityToken, AwsService.Mwaa };
        Assert.Equal("http://own/", AwsEndpoints.Resolve(
            known.Single(candidate => candidate.Id == service), new() { Name = "a", Region = "eu-west-1" }, name => name == variable ? "http://own" : null).ToString());
    }

    [Theory]
    [InlineData("http://configured/", "http://configured/")]
    [InlineData(null, "http://glue-only/")]
    public void The_configured_address_goes_before_the_environments(string? configured, string expected) =>
        Assert.Equal(expected, Resolve(configured, ("AWS_ENDPOINT_URL_GLUE", "http://glue-only"), ("AWS_ENDPOINT_URL", "http://every")));

    [Fact]
    public void The_services_variable_goes_before_the_common_one()
    {
        Assert.Equal("http://glue-only/", Resolve(null, ("AWS_ENDPOINT_URL_GLUE", "http://glue-only"), ("AWS_ENDPOINT_URL", "http://every")));
        Assert.Equal("http://every/", Resolve(null, ("AWS_ENDPOINT_URL_CLOUDWATCH", "http://other"), ("AWS_ENDPOINT_URL", "http://every")));
    }

    [Fact]
    public void Variables_can_be_switched_off() =>
        Assert.Equal(
            "https://glue.eu-west-1.amazonaws.com/", Resolve(null, ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE"), ("AWS_ENDPOINT_URL", "http://every")));

    [Theory]
    [InlineData("localhost:4566")]
    [InlineData("/tmp")]
    [InlineData("ftp://host")]
    public void A_variable_that_holds_no_web_address_is_named(string value)
    {
        var error = Assert.Throws<AwsException>(() => Resolve(null, ("AWS_ENDPOINT_URL_GLUE", value)));
        Assert.Equal("Glue: the environment variable AWS_ENDPOINT_URL_GLUE is no http or https address", error.Message);
    }

    private static string Resolve(string? configured, params (string Name, string Value)[] environment) =>
        AwsEndpoints.Resolve(
            AwsService.Glue, new() { Name = "a", Region = "eu-west-1", EndpointUrl = configured is null ? null : new(configured) },
            name => environment.FirstOrDefault(variable => variable.Name == name).Value).ToString();

    private static string Own(AwsService service, string region, bool useFips = false) =>
        AwsEndpoints.Resolve(service, new() { Name = "a", Region = region, UseFips = useFips }, _ => null).ToString();
}
