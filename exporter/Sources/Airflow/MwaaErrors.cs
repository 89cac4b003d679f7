using System.Net;
using Amazon;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Sources.Airflow;

/// <summary>Says what to do when AWS itself refuses a request for an Airflow of Amazon MWAA.</summary>
internal static class MwaaErrors
{
    /// <returns>Without a status: no answer of AWS may be taken for one of Airflow.</returns>
    public static AirflowException Explain(AirflowEndpoint endpoint, string what, AwsException error) =>
        new(endpoint.Environment, what, null, error.Reason.TrimEnd('.'), Hint(endpoint.Credential as AirflowCredential.Mwaa, error) ?? error.Hint);

    private static string? Hint(AirflowCredential.Mwaa? mwaa, AwsException error) => (mwaa, error) switch
    {
        (null, _) => null,
        (_, { Code: "AccessDeniedException" or "AccessDenied" }) =>
            $"Allow {AwsService.Mwaa.ActionOf(MwaaHandler.Operation)} in the IAM policy of the exporter's role, on {Resource(mwaa)}",
        (_, { Code: "ResourceNotFoundException" }) =>
            $"There is no environment {mwaa.Name} in {mwaa.Source.Region} of this account: check name, region and role_arn of auth.mwaa",
        (_, { Code: "ValidationException" }) =>
            $"The environment {mwaa.Name} must be AVAILABLE, with Airflow 2.4.3 or later, and a request's path at most {MwaaHandler.LongestPath} characters long",
        (_, { IsThrottling: true }) =>
            $"Amazon MWAA lets about {MwaaHandler.RequestsPerSecond} requests a second through to {mwaa.Name}, from all who ask: raise poll_interval, or see who else asks",
        (_, { Code: "Timeout" }) or (_, { Status: >= HttpStatusCode.InternalServerError }) =>
            $"Amazon MWAA waits 10 s for an answer of {mwaa.Name}'s web server, of at most 6 MB: see whether that is overloaded",
        _ => null,
    };

    /// <summary>The IAM resource of an Airflow role; Viewer may read all that the exporter reads.</summary>
    public static string Resource(AirflowCredential.Mwaa mwaa) =>
        $"arn:{RegionEndpoint.GetBySystemName(mwaa.Source.Region).PartitionName}:airflow:{mwaa.Source.Region}:<account>:role/{mwaa.Name}/Viewer";
}
