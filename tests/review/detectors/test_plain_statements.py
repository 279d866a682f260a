"""Corrections that only say how it is, of many trades, and what merely sounds like them."""

from __future__ import annotations

import pytest

from jilog_review.detector import Tier
from jilog_review.detectors.precise.correction import Situation, Verdict, Wording, judge
from jilog_review.rulebook import Rulebook
from jilog_review.transcript import Provenance

WORDING = Wording(Rulebook().corrections())
STATEMENTS = """
house-rule|we use tabs here
house-rule|we use tabs here, not spaces
house-rule|We use pnpm in this repo
house-rule|in this project we write tests with vitest
house-rule|we always use ISO dates
house-rule|we never commit directly to main
house-rule|we don't use semicolons in this codebase
house-rule|btw, our style guide says sentence case
house-rule|our convention is snake_case for columns
house-rule|In this clinic we write doses in milligrams.
house-rule|we always quote prices without VAT
opens-with-denial|not the staging cluster, the production one
not-this-but-that|not 8080, 9090
not-this-but-that|the deadline is March 3, not March 13
not-this-but-that|the client is called Baker, not Barker
not-this-but-that|the dosage is in mg, not ml
not-this-but-that|our invoices are net, not gross.
not-this-but-that|that belongs in the header, not in the footer
not-this-but-that|the tenant pays, not the landlord
not-this-but-that|French, not English
not-this-but-that|tabs, not spaces
wanted-otherwise|I wanted a bar chart, not a pie chart
already-said|I asked for three options, you gave me two
took-the-wrong-one|you mixed up the two accounts
took-the-wrong-one|you used the old price list for this quote
not-the-current-one|that's the old logo
not-the-current-one|these are last year's numbers
other-way-round|it's the other way round
other-way-round|the sign is flipped
leave-alone|leave the tests alone
leave-alone|please leave the second paragraph as it was
should-read|should be metric units
should-read|that should read 'liable'
should-be|it should be 19% VAT
"""
OTHERS = """
we use tabs here, can you add an editorconfig for that?
We use PostgreSQL 15 and Django. Set up a new service for invoices.
we use Slack for alerts, please wire up the new webhook
we use AWS here and need a bucket for backups
we always have a meeting on Monday, add it to the calendar please
We don't have a logo yet
we don't know yet
we do code review here, so add a checklist
our policy is attached
our style guide is in docs/style.md
in our next step we write the tests
we are a small bakery and we use Excel for everything. help me automate the weekly orders
add a button, it should be blue and say Send
create a table with name, date and amount. it should be sorted by date
should be good now, thanks
should be done by Friday
should be a quick one
Let's do option 2, not option 1
the second invoice, not the first
the first two, not the third
it works, not perfect but fine
done, not tested
tomorrow, not today
not now, later
not found, 404
not me, the intern did that
looks good, not sure about the title though
deploy to staging, not production
summarise the contract, not the annexes
I wanted to ask about pricing, not urgent
I expected this to be harder, nice
this is the old version of the contract, compare it with the new one
that's the old one and this is the new one, what changed?
this is the latest export
the arguments are swapped in that call?
what if the image is flipped
leave it running
leave it for later
keep going
"""


def verdict_of(text: str, *, asked: bool = False) -> Verdict | None:
    return judge(text, Situation(Provenance.HUMAN, asked=asked), WORDING)


@pytest.mark.parametrize("line", STATEMENTS.strip().splitlines())
def test_statement_of_how_it_is_corrects_the_agent(line: str) -> None:
    rule, _, text = line.partition("|")

    verdict = verdict_of(text)

    assert verdict is not None
    assert (verdict.rule, verdict.tier) == (rule, Tier.A)


@pytest.mark.parametrize("text", OTHERS.strip().splitlines())
def test_what_only_sounds_like_such_a_statement_is_not_fit_to_file(text: str) -> None:
    verdict = verdict_of(text)

    assert verdict is None or verdict.tier is Tier.B


@pytest.mark.parametrize(
    "text", ["tabs, not spaces", "we use tabs here", "the blue one, not the green one", "should be metric"]
)
def test_answer_to_the_agents_question_is_none(text: str) -> None:
    verdict = verdict_of(text, asked=True)

    assert verdict is None or verdict.tier is Tier.B
