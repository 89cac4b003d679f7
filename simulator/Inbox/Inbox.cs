using System.Collections.Immutable;

namespace PipelineExporter.Simulator.Inbox;

/// <summary>What arrived, in the order of arrival. Holds a bounded number and a bounded size: the oldest go first.</summary>
/// <param name="sizeOf">The bytes that a message holds, about.</param>
internal sealed class Inbox<T>(Func<T, long> sizeOf)
{
    public const int MaxMessages = 500;
    public const long MaxBytes = 64 * 1024 * 1024;

    readonly Lock gate = new();
    readonly Queue<T> messages = new();
    long bytes;
    int lastId;

    public ImmutableArray<T> All
    {
        get
        {
            lock (gate)
                return [.. messages];
        }
    }

    /// <param name="create">Makes the message of its number, which counts from 1 and is never used again.</param>
    public T Add(Func<int, T> create)
    {
        lock (gate)
        {
            var message = create(++lastId);
            messages.Enqueue(message);
            bytes += sizeOf(message);
            while (messages.Count > MaxMessages || (bytes > MaxBytes && messages.Count > 1))
                bytes -= sizeOf(messages.Dequeue());
            return message;
        }
    }

    public void Clear()
    {
        lock (gate)
        {
            messages.Clear();
            bytes = 0;
        }
    }
}
