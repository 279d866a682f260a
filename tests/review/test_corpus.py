"""Real transcripts, where a developer has some beside the checkout: nothing in them may end a review."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.review_night import Host, claude

CORPUS = Path(__file__).parents[2] / "../shared/corpus/claude-code"

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="no real transcripts in ../shared/corpus/claude-code beside the checkout"
)


def test_real_transcripts_when_reviewed_give_one_digest_on_every_host(tmp_path: Path) -> None:
    alpha = Host("alpha", claude(CORPUS), folder=tmp_path)
    beta = Host("beta", claude(tmp_path / "nothing"), folder=tmp_path)

    first = alpha.review()
    beta.log.merge(alpha.log)
    beta.review()
    again = alpha.review()

    assert first.scan.problems == []
    assert len(first.summary.signals) > 50
    assert again.new_signals == ()
    assert alpha.written == beta.written


def test_real_transcripts_hold_few_lines_that_are_not_understood(tmp_path: Path) -> None:
    coverage = Host("alpha", claude(CORPUS), folder=tmp_path).review().scan.coverage

    assert coverage.unknown == {}
    assert coverage.bad_lines < coverage.lines / 1000
    assert coverage.torn_lines == 0
