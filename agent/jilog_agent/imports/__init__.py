"""Bringing other programs' records into the ledger: each once, and what cannot be brought is told."""
