using System.Globalization;
using System.Text.Json;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>Writes one row's members, all or those asked for by name, with the edition's dates.</summary>
/// <param name="absent">Members that the server's version does not have yet.</param>
internal sealed class RowWriter(Utf8JsonWriter json, bool zulu, IReadOnlySet<string>? fields = null, IReadOnlySet<string>? absent = null)
{
    public Utf8JsonWriter Json => json;

    public void Text(string name, string? value)
    {
        if (Wants(name))
            json.WriteString(name, value);
    }

    public void Number(string name, int? value)
    {
        if (!Wants(name))
            return;
        if (value is { } number)
            json.WriteNumber(name, number);
        else
            json.WriteNull(name);
    }

    /// <summary>A float as Python writes it: 0.0, not 0.</summary>
    public void Seconds(string name, double? value)
    {
        if (!Wants(name))
            return;
        json.WritePropertyName(name);
        if (value is not { } number)
        {
            json.WriteNullValue();
            return;
        }
        var text = number.ToString("R", CultureInfo.InvariantCulture);
        json.WriteRawValue(text.Contains('.') || text.Contains('E') ? text : text + ".0");
    }

    public void Flag(string name, bool value)
    {
        if (Wants(name))
            json.WriteBoolean(name, value);
    }

    public void Time(string name, DateTimeOffset? value) => Text(name, value is { } at ? AirflowTime.Format(at, zulu) : null);

    public void Null(string name)
    {
        if (Wants(name))
            json.WriteNull(name);
    }

    /// <summary>A constant piece of JSON.</summary>
    public void Raw(string name, string value)
    {
        if (!Wants(name))
            return;
        json.WritePropertyName(name);
        json.WriteRawValue(value);
    }

    public void Texts(string name, IEnumerable<string> values)
    {
        if (!Wants(name))
            return;
        json.WriteStartArray(name);
        foreach (var value in values)
            json.WriteStringValue(value);
        json.WriteEndArray();
    }

    public void Member(string name, Action write)
    {
        if (!Wants(name))
            return;
        json.WritePropertyName(name);
        write();
    }

    bool Wants(string name) => (fields is null || fields.Contains(name)) && absent?.Contains(name) != true;
}
