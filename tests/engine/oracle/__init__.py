"""The engine as oracle: what it made of a request, read back from its own inspect, against what sockproxy asked for.

    cases ─ spelling ─► the bare engine ─► objects ─ powers ─► each has an ask?      trial
                   └──► judge ─► forward ─► the bare engine ─► the same object?

cases     requests made at random out of the tables of fields, right and wrong
values    what stands in each field
spelling  every way of writing it down that Go reads, and some that it does not
bare      the connection that requests go out by, with nothing in between
scene     what there is to refer to
services  swarm's, as one more noun
objects   how each noun is made, read back, removed and compared
powers    what an object can do, read from the engine's inspect alone: no inspector has a say in it
trial     one case after the other, and the count of what came of them
silence   takes each field away from sockproxy in turn, and demands that the oracle sees it
"""
