"""Many literal texts at once: with the optional library and without it, the answers are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jilog_review import limits, needles
from jilog_review.needles import any_in_bytes, found_in_text

WORDS = st.lists(st.text("abAB. é", min_size=0, max_size=4), max_size=6)


@pytest.fixture(params=[True, False], ids=["library", "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Search with the library and without it."""
    if request.param and not needles.HAS_AUTOMATON:
        pytest.skip("ahocorasick_rs is not installed")
    monkeypatch.setattr(needles, "HAS_AUTOMATON", request.param)


@given(words=WORDS, text=st.text("abAB. é\ud800", max_size=40))
def test_texts_that_stand_in_a_text_are_found_whether_the_library_is_there_or_not(
    words: list[str], text: str
) -> None:
    expected = {place for place, word in enumerate(words) if word in text}

    assert set(found_in_text(words)(text)) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(needles, "HAS_AUTOMATON", False)
        assert set(found_in_text(words)(text)) == expected


@given(words=st.lists(st.binary(min_size=1, max_size=3), max_size=4), data=st.binary(max_size=40))
def test_bytes_are_searched_whether_the_library_is_there_or_not(words: list[bytes], data: bytes) -> None:
    expected = any(word in data for word in words)

    assert any_in_bytes(words)(memoryview(data)) is expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(needles, "HAS_AUTOMATON", False)
        assert any_in_bytes(words)(memoryview(data)) is expected


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("before", [limits.NEEDLE_STEP_BYTES - shift for shift in range(-2, 9)])
def test_text_across_the_border_of_two_steps_is_found(before: int) -> None:
    search = any_in_bytes([b"needle", b"no"])

    found = search(memoryview(b"x" * before + b"needle" + b"x" * 100))

    assert found


@pytest.mark.usefixtures("way")
def test_texts_that_overlap_are_all_found() -> None:
    find = found_in_text(["key", "key=", "y=", "", "other"])

    assert set(find("a key=1")) == {0, 1, 2, 3}
