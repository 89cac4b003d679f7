using System.Runtime.InteropServices;

namespace PipelineExporter.Commands;

/// <summary>
/// The allocator of what is not .NET's: zlib's state for each text that is compressed, SQLite's pages. glibc's stops giving large
/// blocks back to the system once one was freed, and with the minutes keeps some of every size for every thread; see docs/benchmarks.md.
/// </summary>
internal static class Malloc
{
    private const int MmapThreshold = -3; // M_MMAP_THRESHOLD of malloc.h

    /// <summary>Has blocks of so many bytes, and larger ones, go back to the system when they are freed. Other allocators than glibc's are left as they are.</summary>
    public static void ReturnBlocksOf(int bytes)
    {
        if (NativeLibrary.TryLoad("libc.so.6", out _))
            _ = SetOption(MmapThreshold, bytes);
    }

    [DllImport("libc.so.6", EntryPoint = "mallopt")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetOption(int option, int value);
}
