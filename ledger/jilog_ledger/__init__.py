"""The ledger: events, segments, the zone store and the projection."""
