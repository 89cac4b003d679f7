using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>What a request needs of its user: reading each kind of thing, and changing things.</summary>
[Flags]
internal enum Access
{
    None = 0,
    Dags = 1,
    Runs = 2,
    Tasks = 4,
    Pools = 8,
    ImportErrors = 16,
    Write = 32,

    Read = Dags | Runs | Tasks | Pools | ImportErrors,

    /// <summary>Runs are seen by whoever may see their DAG too; and so on.</summary>
    ReadRuns = Dags | Runs,
    ReadTasks = Dags | Runs | Tasks,
    ReadImportErrors = Dags | ImportErrors,
}

/// <summary>Fixed and public users, all with one password: nothing behind them is worth a secret.</summary>
internal sealed record AirflowUser(string Name, string Role, Access May)
{
    public const string Password = "simulator-password";

    /// <summary>
    /// The exporter's own may read everything, the operator may also clear, edit and delete, and each of the others lacks
    /// one permission.
    /// </summary>
    public static readonly ImmutableArray<AirflowUser> All =
    [
        new("exporter", "viewer", Access.Read),
        new("operator", "op", Access.Read | Access.Write),
        new("without-dags", "viewer", Access.Read & ~Access.Dags),
        new("without-runs", "viewer", Access.Read & ~Access.Runs),
        new("without-tasks", "viewer", Access.Read & ~Access.Tasks),
        new("without-pools", "viewer", Access.Read & ~Access.Pools),
        new("without-import-errors", "viewer", Access.Read & ~Access.ImportErrors),
    ];

    public static AirflowUser? Named(string? name) => All.FirstOrDefault(user => user.Name == name);

    /// <summary>Null: no such user, or not with this password.</summary>
    public static AirflowUser? Find(string? name, string? password) =>
        password is not null && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(password), Encoding.UTF8.GetBytes(Password)) ? Named(name) : null;

    public bool Lacks(Access needed) => (needed & ~May) != Access.None;
}
