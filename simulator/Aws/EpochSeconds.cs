using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace PipelineExporter.Simulator.Aws;

/// <summary>
/// Timestamps as AWS's JSON has them: seconds since 1970 as a number, with milliseconds. Written as AWS's servers write doubles
/// (1.7950000305E9), which a client has to understand.
/// </summary>
internal sealed class EpochSeconds : JsonConverter<DateTimeOffset>
{
    /// <summary>9999-12-31, past which no instant exists.</summary>
    const double Limit = 253402300799;

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType != JsonTokenType.Number || reader.GetDouble() is var seconds && Math.Abs(seconds) > Limit)
            throw new JsonException();
        return DateTimeOffset.UnixEpoch.AddMilliseconds(Math.Round(seconds * 1000));
    }

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) =>
        writer.WriteRawValue(Text(value.ToUnixTimeMilliseconds() / 1000.0));

    public static string Text(double seconds) => seconds.ToString("0.0##############E0", CultureInfo.InvariantCulture);
}
