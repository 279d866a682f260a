"""Turns: which agent session did what for which ticket, at which state of the repository.

The ledger is the authority; ``.turnlog/`` in a repository is a snapshot of it for people.
"""
