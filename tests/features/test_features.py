"""The table of features: every row has a test, every test a row, and the page says so."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def load() -> ModuleType:
    path = Path(__file__).with_name("make_features.py")
    spec = importlib.util.spec_from_file_location("make_features", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules["make_features"] = module
    spec.loader.exec_module(module)
    return module


MAKE = load()


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    rows = MAKE.features()

    assert MAKE.problems(rows, MAKE.proofs()) == []
    assert {kind: sum(row.startswith(kind) for row in rows) for kind in ("AF", "TF", "PF")} == {
        "AF": 46,
        "TF": 25,
        "PF": 4,
    }


def test_page_is_what_the_rows_and_tests_give() -> None:
    page = MAKE.page(MAKE.features(), MAKE.proofs())

    assert MAKE.PAGE.read_text(encoding="utf-8") == page, "run: python tests/features/make_features.py"


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("test_af17_af26_all", ["AF17", "AF26"]),
        ("test_tf04_two", ["TF4"]),
        ("test_after_af_x_pf1x_staff2", []),
    ],
)
def test_names_tell_their_rows(name: str, rows: list[str]) -> None:
    assert MAKE.rows_of(name) == rows


def test_a_row_without_a_test_and_a_test_without_a_row_are_found(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text("def test_af1_there(): ...\ndef test_af99_odd(): ...\n")

    wrong = MAKE.problems({"AF1": "one", "AF2": "two"}, MAKE.proofs(tmp_path))

    assert wrong == ["AF2 has no test", "test_af99_odd proves AF99, which is no row"]
