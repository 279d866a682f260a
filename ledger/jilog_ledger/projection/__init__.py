"""The projection: a SQL copy of the segments that can be deleted and rebuilt at any time."""

from jilog_ledger.projection.database import Projection, RebuildReport
from jilog_ledger.projection.query import EventQuery

__all__ = ["EventQuery", "Projection", "RebuildReport"]
