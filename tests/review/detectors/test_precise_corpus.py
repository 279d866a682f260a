"""The precise rules on real transcripts, where a developer has them: the shares they were made for."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
CORPUS = ROOT.parent / "shared" / "corpus"


@pytest.fixture(scope="module")
def figures() -> dict[str, float]:
    """Run the benchmark once and read its table."""
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus of labelled transcripts in {CORPUS}")
    rows = (line.split("|") for line in _benchmark().run(CORPUS).splitlines() if line.startswith("| "))
    return {row[1].strip(): float(row[2].strip(" %")) / 100 for row in rows if row[2].strip().endswith("%")}


def _benchmark() -> ModuleType:
    name = "benchmarks.detectors"
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / "detectors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("measure", "at_least"),
    [
        ("corrections tier A, C", 0.60),
        ("corrections tier A, C+D+R", 0.85),
        ("errors tier A, precision", 0.85),
        ("workarounds tier A, precision", 0.90),
    ],
)
def test_share_of_true_signals_on_labelled_transcripts_is_kept(
    figures: dict[str, float], measure: str, at_least: float
) -> None:
    assert figures[measure] >= at_least
