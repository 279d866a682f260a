"""What the events of a zone must not hold: every writer of this host gets its redactor here."""

from __future__ import annotations

from functools import lru_cache

from jilog_agent.config import ZoneConfig
from jilog_review.redact import RedactionPolicy, Redactor, make_redactor, policy_from, redact

_POLICIES_MAX = 32
"""Policies whose rules are kept compiled: one for each zone, and hardly any host has so many."""


def zone_redactor(zone: ZoneConfig) -> Redactor:
    """Give what replaces secrets, and whatever ``[zones.redaction]`` names, in texts for a zone.

    Raises:
        InputError: a pattern of the zone cannot be used; the config is checked for that when it is read.
    """
    return _made(policy_from(zone.redaction))


@lru_cache(maxsize=_POLICIES_MAX)
def _made(policy: RedactionPolicy) -> Redactor:
    return redact if policy == RedactionPolicy() else make_redactor(policy)
