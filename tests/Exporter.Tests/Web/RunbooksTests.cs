using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using PipelineExporter.Web;

namespace PipelineExporter.Tests.Web;

public sealed class RunbooksTests
{
    [Theory]
    [InlineData("PipelineFailure")]
    [InlineData("PipelineFailure.md")]
    public async Task A_runbook_is_a_page_under_its_name_and_under_that_of_its_file(string name)
    {
        await using var services = new ServiceCollection().AddLogging().BuildServiceProvider();
        using var body = new MemoryStream();
        var context = new DefaultHttpContext { RequestServices = services, Response = { Body = body } };

        await Runbooks.Show(name).ExecuteAsync(context);

        Assert.Equal(StatusCodes.Status200OK, context.Response.StatusCode);
        Assert.Contains("<h1>PipelineFailure</h1>", System.Text.Encoding.UTF8.GetString(body.ToArray()), StringComparison.Ordinal);
    }
}
