using System.Collections.Immutable;
using PipelineExporter.Sources.Aws;

namespace PipelineExporter.Collectors.Aws;

/// <summary>The names of the DynamoDB tables that the configuration selects.</summary>
internal sealed class DynamoDbTableCatalog(AwsSource source, Func<string, bool> isSelected, TimeSpan interval, TimeProvider time)
    : AwsCatalog<ImmutableSortedSet<string>>(isSelected, time, interval)
{
    private readonly DynamoDbApi dynamoDb = source.DynamoDb;

    protected override IReadOnlySet<string> NamesOf(ImmutableSortedSet<string> read) => read;

    protected override async Task<ImmutableSortedSet<string>> ReadAsync(CancellationToken cancellationToken)
    {
        var names = ImmutableSortedSet.CreateBuilder<string>(StringComparer.Ordinal);
        var pages = new AwsPages(AwsService.DynamoDb, "ListTables");
        do
        {
            var page = await dynamoDb.ListTablesAsync(pages.NextToken, cancellationToken);
            foreach (var name in page.Names)
            {
                if (!AwsName.IsSound(name))
                    throw AwsException.Malformed(AwsService.DynamoDb, "ListTables", "a table has no name");
                if (IsSelected(name))
                    names.Add(name);
            }

            pages.Read(page.LastEvaluatedTableName);
        }
        while (pages.More);
        return names.ToImmutable();
    }
}
