using System.Text;

namespace PipelineExporter.State;

/// <summary>Label values as one blob: each with its length before it, so that no value needs escaping.</summary>
internal static class LabelBlob
{
    public static byte[] Write(string[] values)
    {
        using var blob = new MemoryStream();
        using var writer = new BinaryWriter(blob, Encoding.UTF8);
        foreach (var value in values)
            writer.Write(value);
        return blob.ToArray();
    }

    public static string[] Read(byte[] blob)
    {
        using var reader = new BinaryReader(new MemoryStream(blob), Encoding.UTF8);
        var values = new List<string>();
        while (reader.BaseStream.Position < blob.Length)
            values.Add(reader.ReadString());
        return [.. values];
    }
}
