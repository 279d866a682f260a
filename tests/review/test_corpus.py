"""Real transcripts, where a developer has some beside the checkout: nothing in them may end a review."""

from __future__ import annotations

from pathlib import Path

import pytest

from jilog_review.reader import ReaderConfig, make_reader
from support.review_night import Host, claude
from support.transcripts import read_all

ALL = Path(__file__).parents[2] / "../shared/corpus"
CORPUS = ALL / "claude-code"

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


# The redaction of the published sessions broke an escape in some lines.
@pytest.mark.parametrize(("name", "broken_max"), [("copilot", 1), ("gemini", 0)])
def test_real_sessions_of_other_harnesses_have_people_and_nothing_unknown(name: str, broken_max: int) -> None:
    reader = make_reader(ReaderConfig(name, {"path": str(ALL / name)}))
    sources = reader.discover(0).sources

    assert sources
    for source in sources:
        gathered = read_all(reader, source)
        assert gathered.coverage.unknown == {}
        assert gathered.coverage.bad_lines + gathered.coverage.torn_lines <= broken_max
        assert gathered.human()
