"""The agent process: it owns this host's writes, replicates, scrubs, reviews at night, and answers a socket.

``run`` is the asyncio shell; store calls block for the disk and run in threads. What can be decided without
a clock or a disk is decided by pure functions: ``protocol``, ``schedule``, ``metrics``.
"""
