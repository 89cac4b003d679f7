using System.Runtime.InteropServices;
using PipelineExporter.Commands;

namespace PipelineExporter.Tests.Commands;

public sealed class MallocTests
{
    // glibc's malloc.c: the word before a block is its size, and its second bit says that the block was mapped for itself.
    private const int IsMapped = 2;

    private readonly bool glibc = NativeLibrary.TryLoad("libc.so.6", out _);

    [Fact]
    public void A_large_block_goes_back_to_the_system_also_after_a_larger_one_was_freed()
    {
        Assert.SkipUnless(glibc, "another allocator than glibc's");
        Malloc.ReturnBlocksOf(64 << 10);

        Marshal.FreeHGlobal(Marshal.AllocHGlobal(4 << 20)); // by itself malloc keeps blocks of up to this size from now on
        var large = Enumerable.Range(0, 1000).Select(_ => Marshal.AllocHGlobal(100 << 10)).ToList(); // the first may fill gaps that others have left
        var small = Marshal.AllocHGlobal(1 << 10);

        Assert.Equal(IsMapped, Marshal.ReadInt64(large[^1], -8) & IsMapped);
        Assert.Equal(0, Marshal.ReadInt64(small, -8) & IsMapped);
        large.ForEach(Marshal.FreeHGlobal);
        Marshal.FreeHGlobal(small);
    }
}
