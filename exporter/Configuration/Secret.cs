using System.Text;

namespace PipelineExporter.Configuration;

/// <summary>
/// Where a secret stands, never the secret: it is read whenever it is needed, so that a rotated one works without a restart.
/// </summary>
internal sealed class Secret
{
    private const int MaxBytes = 64 * 1024;

    private readonly string key;
    private readonly Func<string> read;

    private Secret(string key, Func<string> read)
    {
        this.key = key;
        this.read = read;
    }

    /// <param name="key">The key that names the file, for messages.</param>
    /// <param name="path">Full path.</param>
    public static Secret FromFile(string key, string path) => new(key, () => ReadFile(path));

    /// <param name="key">The key that names the variable, for messages.</param>
    /// <param name="variable">Its value now, null when it is not set.</param>
    public static Secret FromEnvironment(string key, Func<string?> variable) =>
        new(key, () => variable() ?? throw new IOException("this environment variable is not set"));

    /// <summary>The secret without one closing newline.</summary>
    /// <exception cref="SecretException">It cannot be read, is empty, or is more than one line of text.</exception>
    public string Read()
    {
        try
        {
            var text = read();
            text = text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
            return text.Length == 0 ? throw new IOException("what it names is empty")
                : text.Any(char.IsControl) ? throw new IOException("what it names is more than one line of text")
                : text;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException or ArgumentException or NotSupportedException)
        {
            throw new SecretException(key, Reason(e));
        }
    }

    public override string ToString() => "<secret>";

    private static string ReadFile(string path)
    {
        if (Directory.Exists(path))
        {
            throw new IOException("it names a directory, not a file");
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[MaxBytes + 1]; // bounded by what is read: a device has no length
        var length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return length <= MaxBytes
            ? new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetString(bytes, 0, length)
            : throw new IOException($"the file is larger than {MaxBytes / 1024} KiB");
    }

    /// <summary>In our words: the system's own would repeat the path, and a secret written here by mistake with it.</summary>
    private static string Reason(Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => "there is no such file",
        UnauthorizedAccessException => "permission to read the file is denied",
        DecoderFallbackException => "the file is not UTF-8 text",
        IOException when e.GetType() == typeof(IOException) && e.HResult == new IOException().HResult => e.Message,
        _ => "the file cannot be read",
    };
}

/// <summary>A secret cannot be had now. The message names the key, never the place nor the secret.</summary>
internal sealed class SecretException(string key, string reason) : Exception($"{key}: {reason}")
{
    public string Reason { get; } = reason;
}
