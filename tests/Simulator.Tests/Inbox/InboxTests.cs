using PipelineExporter.Simulator.Inbox;

namespace PipelineExporter.Simulator.Tests.Inbox;

public sealed class InboxTests
{
    [Fact]
    public void Keeps_the_last_500()
    {
        var inbox = new Inbox<int>(_ => 1);
        for (var i = 0; i < 501; i++)
            inbox.Add(id => id);

        Assert.Equal(Enumerable.Range(2, 500), inbox.All);
    }

    [Fact]
    public void Keeps_64_mebibytes_but_always_the_last_one()
    {
        var inbox = new Inbox<long>(size => size);
        inbox.Add(_ => 40 * 1024 * 1024);
        inbox.Add(_ => 24 * 1024 * 1024);
        Assert.Equal(2, inbox.All.Length);

        inbox.Add(_ => 1);
        Assert.Equal([24 * 1024 * 1024, 1], inbox.All);

        inbox.Add(_ => 100 * 1024 * 1024);
        Assert.Equal([100 * 1024 * 1024], inbox.All);
    }

    [Fact]
    public void Clearing_frees_the_room_and_no_number_is_used_again()
    {
        var inbox = new Inbox<(int Id, long Size)>(message => message.Size);
        inbox.Add(id => (id, Inbox<int>.MaxBytes));
        inbox.Clear();
        Assert.Empty(inbox.All);

        inbox.Add(id => (id, Inbox<int>.MaxBytes / 2));
        inbox.Add(id => (id, Inbox<int>.MaxBytes / 2));
        Assert.Equal([2, 3], inbox.All.Select(message => message.Id));
    }
}
