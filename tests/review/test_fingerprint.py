"""Fingerprints: equal for one problem, different for two."""

from __future__ import annotations

import pytest

from jilog_review.fingerprint import fingerprint, normal_form


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Command timed out after 30 seconds", "command timed out after 120 seconds"),
        ("no such file: /srv/a/b.py", "no such file: ~/c/d/e.go"),
        (
            "session 0e91a2b4-7d3f-4e2a-9c1b-44a7f3d8a1e2 lost",
            "session 2f1c8d77-91ab-4c5d-8e6f-1a2b3c4d5e6f lost",
        ),
        ("bad commit 1a2b3c4d5e", "bad commit ffee0011aa22"),
        ("fails   at line\n7", "fails at line 12"),
    ],
)
def test_two_occurrences_of_one_problem_have_one_fingerprint(one: str, other: str) -> None:
    assert normal_form(one) == normal_form(other)
    assert fingerprint("error", "bash", one) == fingerprint("error", "bash", other)


def test_problem_kind_and_tool_each_change_the_fingerprint() -> None:
    prints = {
        fingerprint("error", "bash", "timed out"),
        fingerprint("error", "bash", "not found"),
        fingerprint("error", "read", "timed out"),
        fingerprint("error", None, "timed out"),
        fingerprint("workaround", "bash", "timed out"),
    }

    assert len(prints) == 5


def test_hash_of_digits_and_a_final_d_is_no_duration() -> None:
    assert normal_form("bad object 0000000d") == normal_form("bad object 1f3a9c7e") == "bad object #"
    assert normal_form("gone for 12 d") == normal_form("gone for 300d") == "gone for <duration>"
