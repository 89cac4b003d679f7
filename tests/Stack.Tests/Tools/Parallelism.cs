// These tests wait for other programs most of the time, and the longest of them for more than half of it: one thread more than
// the machine has cores lets the others be done by then.
[assembly: Xunit.v3.Parallelization(MaxThreads = 3)]
