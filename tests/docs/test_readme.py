"""The README's tour runs, and prints what the README says it prints."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from support.tour import environment, steps, taken

README = Path(__file__).parents[2] / "README.md"


def test_tour_when_its_commands_are_typed_prints_what_the_readme_shows(tmp_path: Path) -> None:
    (tmp_path / ".claude" / "projects").mkdir(parents=True)
    tour = steps(README)
    assert len(tour) >= 7

    different = list(taken(tour, tmp_path, environment(tmp_path, Path(sys.executable).parent, os.environ)))

    assert not different, different[0]
