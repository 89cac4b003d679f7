namespace PipelineExporter.Simulator.Pipeline;

/// <summary>
/// A deterministic source of chance (SplitMix64): the same seed, name and index throw the same numbers in the same order
/// on every machine, which System.Random does not promise between versions.
/// </summary>
internal sealed class Dice
{
    ulong state;

    public Dice(int seed, string name, long index)
    {
        state = Mix((uint)seed ^ 0x9E3779B97F4A7C15);
        foreach (var letter in name)
            state = Mix(state ^ letter);
        state = Mix(state ^ (ulong)index);
    }

    public ulong Bits() => Mix(state += 0x9E3779B97F4A7C15);

    /// <summary>In [0, 1).</summary>
    public double Next() => (Bits() >> 11) * (1.0 / (1UL << 53));

    public double Between(double low, double high) => low + (Next() * (high - low));

    /// <summary>Both ends included.</summary>
    public int Between(int low, int high) => low + (int)(Next() * (high - low + 1));

    public bool Chance(double probability) => Next() < probability;

    static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
