"""Deterministic simulation of a fleet: the real code, over a time, a network and disks that are made up.

What is real: the zone store with its recovery, quarantine and forks (:mod:`jilog_ledger`), the replication
session with its planner (:mod:`jilog_spool`), and those decisions of the agent that are pure (grants,
back-off, read-only mode, scrub budget). What is made up is what they are given: a clock, random numbers, a
:class:`~jilog_ledger.testing.MemoryDisk`, and connections. One thread, one seed, no wall clock.

The network is a stream transport, as SSH is, so what happens to packets shows only in its way:

=============  ==========================================================================================
packets        what a session can notice, and what is simulated
=============  ==========================================================================================
delay          each piece of bytes has a latency of its own; a stall holds one direction up for a while
loss           TCP sends again: a stall; or gives up: bytes on the way are lost and the connection is cut,
               with or without the end being seen
reordering     two connections between the same hosts overtake each other; inside one stream only a broken
               peer can do it, so two frames change places
duplication    the same segments come over several connections at once, and again later by another route;
               inside a stream a frame comes twice
corruption     a byte changes on its way; SSH would notice, a directory or a broken peer would not
partition      one direction or both carry nothing until it heals; connections die of silence
=============  ==========================================================================================

``python -m simulation --seed 1 --count 100`` from ``tests`` runs it; ``make sim SEED=1 N=100`` does so.
"""
