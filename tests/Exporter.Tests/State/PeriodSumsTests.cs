using CsCheck;
using PipelineExporter.State;

namespace PipelineExporter.Tests.State;

public sealed class PeriodSumsTests
{
    private const int Kept = 5;

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Whatever_is_read_again_is_counted_once_and_only_differences_are_added() =>
        // Each reading: how many periods later it is, and what it says of the revisable ones and of the new ones.
        Gen.Select(Gen.Int[0, 7], Gen.Int[-1, 9].Array[20]).Array[1, 30].Sample(readings =>
        {
            var sums = PeriodSums.StartingAt(Start, Minute);
            var truth = new Dictionary<int, double>();
            var (until, counted) = (0, 0.0);
            foreach (var (later, said) in readings)
            {
                var first = until - Kept;
                until += later;
                var values = new List<KeyValuePair<DateTimeOffset, double>>();
                for (var i = first; i < until; i++)
                {
                    // Below zero: nothing is published yet, or any more.
                    if (said[i - first] is >= 0 and var value)
                    {
                        values.Add(new(Start + i * Minute, value));
                        truth[i] = value;
                    }
                }

                var (next, addition, _) = sums.Read(new(Minute, Start + until * Minute, values), Kept, Kept);
                Assert.True(addition >= 0);
                Assert.True(next.Debt >= 0);
                // In whatever form it is stored, and from wherever it goes on.
                sums = PeriodSums.FromNumbers(next.ToNumbers(new()))!;
                counted += addition;
                Assert.Equal(truth.Where(one => one.Key >= 0).Sum(one => one.Value), counted - sums.Debt, 9);
                Assert.Equal(truth.Where(one => one.Key >= until - 3).Sum(one => one.Value), sums.Sum(Start + (until - 3) * Minute, Start + until * Minute), 9);
            }
        });

    [Fact]
    public void A_period_of_which_only_a_part_was_counted_gives_the_rest_when_only_longer_ones_are_left()
    {
        var (sums, _, _) = PeriodSums.StartingAt(Start, Minute).Read(new(Minute, Start + 7 * Minute, [new(Start + 6 * Minute, 4)]), Kept, Kept);

        var (next, addition, _) = sums.Read(
            new(5 * Minute, Start + 20 * Minute, [new(Start, 100), new(Start + 5 * Minute, 10), new(Start + 10 * Minute, 3), new(Start + 20 * Minute, 50)]), Kept, Kept);

        // Nothing of the first five minutes, which were counted; of the second the rest.
        Assert.Equal(6 + 3, addition);
        Assert.Equal(Start + 20 * Minute, next.Floor);
        Assert.Equal((Minute, Start + 20 * Minute), (next.Period, next.Until));
    }

    [Fact]
    public void When_it_first_rose_is_told_of_what_was_counted()
    {
        var (sums, _, _) = PeriodSums.StartingAt(Start, Minute).Read(
            new(Minute, Start + 4 * Minute, [new(Start + 3 * Minute, 2), new(Start + 2 * Minute, 1), new(Start + Minute, 0), new(Start - Minute, 7)]), Kept, Kept);

        Assert.Equal(Start + 2 * Minute, sums.RoseAt(Start - 5 * Minute));
        Assert.Equal(Start + 3 * Minute, sums.RoseAt(Start + 2.5 * Minute));
        Assert.Null(sums.RoseAt(Start + 4 * Minute));
        Assert.Null(PeriodSums.StartingAt(Start, Minute).RoseAt(Start));
    }

    [Fact]
    public void Nothing_is_counted_of_what_began_before_it_was_first_asked_for()
    {
        var (sums, addition, _) = PeriodSums.StartingAt(Start + 30 * TimeSpan.FromSeconds(1), Minute)
            .Read(new(Minute, Start + 2 * Minute, [new(Start - Minute, 9), new(Start, 2), new(Start + Minute, 3)]), Kept, Kept);

        Assert.Equal(5, addition);
        Assert.Equal(14, sums.Sum(Start - Minute, Start + 2 * Minute));
    }

    [Fact]
    public void What_can_be_no_sum_is_left_out()
    {
        var (_, addition, _) = PeriodSums.StartingAt(Start, Minute).Read(
            new(Minute, Start + 5 * Minute, [new(Start, double.NaN), new(Start + Minute, -1), new(Start + 2 * Minute, 1e300), new(Start + 3 * Minute, double.PositiveInfinity), new(Start + 4 * Minute, 1)]), Kept, Kept);

        Assert.Equal(1, addition);
    }

    [Theory]
    [InlineData(1, 5)]
    [InlineData(5, 5)]
    public void A_period_that_one_answer_tells_twice_is_counted_once_with_the_later_word(int minutes, double expected)
    {
        var (sums, counted, _) = PeriodSums.StartingAt(Start, Minute).Read(new(Minute, Start + Minute, []), Kept, Kept);
        PeriodReading Reading(params double[] values) =>
            new(minutes * Minute, Start + 20 * Minute, [.. values.Select(value => KeyValuePair.Create(Start + 10 * Minute, value))]);

        (sums, var addition, _) = sums.Read(Reading(3, 4, 5, -1, double.NaN), Kept, Kept);

        Assert.Equal(expected, counted + addition);
        Assert.Equal(0, sums.Debt);
        // And as of before, once more.
        Assert.Equal(0, sums.Read(Reading(5, 5), Kept, Kept).Addition);
    }

    [Fact]
    public void A_revision_that_is_told_twice_is_one()
    {
        var (sums, _, _) = PeriodSums.StartingAt(Start, Minute).Read(new(Minute, Start + Minute, [new(Start, 3)]), Kept, Kept);

        var (next, addition, revised) = sums.Read(new(Minute, Start + 2 * Minute, [new(Start, 7), new(Start + Minute, 1), new(Start, 7)]), Kept, Kept);

        Assert.Equal((4 + 1, 1), (addition, revised));
        Assert.Equal(8, next.Sum(Start, Start + 2 * Minute));
    }
}
