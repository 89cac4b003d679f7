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
        Assert.Equal(expected, AwsEndpoints.Resolve(AwsService.Glue, region, null, _ => null).ToString());

    [Theory]
    [InlineData("eu-west-1", "https://env.airflow.eu-west-1.amazonaws.com/")]
    [InlineData("cn-north-1", "https://env.airflow.cn-north-1.amazonaws.com.cn/")]
    [InlineData("us-gov-west-1", "https://env.airflow.us-gov-west-1.amazonaws.com/")]
    public void The_environments_of_MWAA_answer_at_a_host_of_their_own(string region, string expected) =>
        Assert.Equal(expected, AwsEndpoints.Resolve(AwsService.Mwaa, region, null, _ => null).ToString());

    [Fact]
    public void CloudWatch_is_called_monitoring() =>
        Assert.Equal("https://monitoring.eu-west-1.amazonaws.com/", AwsEndpoints.Resolve(AwsService.CloudWatch, "eu-west-1", null, _ => null).ToString());

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
            AwsService.Glue, "eu-west-1", configured is null ? null : new(configured),
            name => environment.FirstOrDefault(variable => variable.Name == name).Value).ToString();
}
