using System.Runtime.InteropServices;
using PipelineExporter.Simulator.Pipeline;

namespace PipelineExporter.Simulator.Airflow;

/// <summary>A time-ordered UUID: 48 bits of Unix milliseconds, then chance.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Uuid7(ulong High, ulong Low)
{
    public static Uuid7 New(DateTimeOffset at, Dice dice) => new(
        ((ulong)at.ToUnixTimeMilliseconds() << 16) | 0x7000 | (dice.Bits() & 0x0FFF),
        0x8000_0000_0000_0000 | (dice.Bits() >> 2));

    /// <summary>A task instance gets another id each time a try of it goes into history.</summary>
    public static Uuid7 Of(TaskInstance instance, TaskPhase phase)
    {
        var key = instance.Run.Key;
        var name = ((long)key.Cause << 56) ^ (key.Index << 16) ^ ((long)instance.MapIndex << 4) ^ phase.Generation;
        return New(phase.GenerationAt, new Dice(key.Dag, instance.Task.Id, name));
    }

    /// <summary>Sorts as the text does.</summary>
    public Int128 Number => new(High, Low);

    public override string ToString() => $"{High >> 32:x8}-{(High >> 16) & 0xFFFF:x4}-{High & 0xFFFF:x4}-{Low >> 48:x4}-{Low & 0xFFFF_FFFF_FFFF:x12}";
}
