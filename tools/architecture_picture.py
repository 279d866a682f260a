"""Draw ``docs/architecture.svg`` from the source: the rooms, their packages, and who imports whom.

Run: python tools/architecture_picture.py > docs/architecture.svg (``make docs`` does).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("agent", "spool", "review", "ledger")
PURPOSES = {
    "agent": "command line, daemon, wiring",
    "spool": "replication, transports, trust",
    "review": "readers, detectors, digest, trackers",
    "ledger": "events, segments, store, projection",
}

WIDTH = 960
GAP = 56
PAD = 16
ROW = 20
CELL = 116
HEAD = 52

_STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.room { fill: #f6f8fa; stroke: #59636e; }
.name { font-weight: 600; font-size: 16px; }
.quiet { fill: #59636e; }
.arrow { stroke: #0969da; stroke-width: 2; fill: none; marker-end: url(#tip); }
#tip path { fill: #0969da; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .room { fill: #151b23; stroke: #9198a1; }
  .quiet { fill: #9198a1; }
  .arrow { stroke: #4493f8; }
  #tip path { fill: #4493f8; }
}
"""


@dataclass(frozen=True, slots=True)
class Room:
    """One top-level folder: its packages, the other rooms it imports, and the libraries that it uses."""

    name: str
    packages: tuple[str, ...]
    imports: frozenset[str]
    libraries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Box:
    """Where a room is drawn, in pixels."""

    x: int
    y: int
    width: int
    height: int


def room(name: str, root: Path = ROOT) -> Room:
    """Read one room's source."""
    folder = root / name / f"jilog_{name}"
    packages = sorted(path.parent.name for path in folder.glob("*/__init__.py"))
    imported = set()
    for path in sorted(folder.rglob("*.py")):
        imported |= set(_imported(ast.parse(path.read_text(encoding="utf-8"))))
    rooms = {item.removeprefix("jilog_") for item in imported if item.startswith("jilog_")}
    libraries = imported - sys.stdlib_module_names - {f"jilog_{item}" for item in rooms}
    return Room(name, tuple(packages), frozenset(rooms - {name}), tuple(sorted(libraries)))


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def picture(rooms: Mapping[str, Room]) -> str:
    """Draw the rooms, the uppermost first, and an arrow for each import from one to another."""
    boxes = _boxes(rooms)
    height = boxes["ledger"].y + boxes["ledger"].height + PAD
    arrows = [
        _arrow(boxes, source.name, target) for source in rooms.values() for target in sorted(source.imports)
    ]
    return "".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" ',
            f'height="{height}" role="img" aria-labelledby="title">\n',
            '<title id="title">jilog\'s rooms, and who imports whom</title>\n',
            f"<style>\n{_STYLE}</style>\n",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" ',
            'orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>\n',
            *(_drawn(rooms[name], box) for name, box in boxes.items()),
            *arrows,
            "</svg>\n",
        )
    )


def _boxes(rooms: Mapping[str, Room]) -> dict[str, Box]:
    wide = WIDTH - 2 * PAD
    half = (wide - GAP) // 2
    top = Box(PAD, PAD, wide, _height(rooms["agent"], wide))
    middle = top.y + top.height + GAP
    both = max(_height(rooms[name], half) for name in ("spool", "review"))
    return {
        "agent": top,
        "spool": Box(PAD, middle, half, both),
        "review": Box(PAD + half + GAP, middle, half, both),
        "ledger": Box(PAD, middle + both + GAP, wide, _height(rooms["ledger"], wide)),
    }


def _height(item: Room, width: int) -> int:
    return HEAD + ROW * len([*_rows(item.packages, width), *_lines(item.libraries, width)]) + PAD


def _rows(names: tuple[str, ...], width: int) -> list[tuple[str, ...]]:
    columns = (width - 2 * PAD) // CELL
    return [names[start : start + columns] for start in range(0, len(names), columns)]


def _lines(libraries: tuple[str, ...], width: int) -> list[str]:
    """Fit the names of libraries to the width, at seven pixels a character."""
    lines = [""]
    for text in (f"{name}," for name in libraries):
        if len(lines[-1]) + len(text) > (width - 2 * PAD) // 7 - len("uses "):
            lines.append("")
        lines[-1] = f"{lines[-1]} {text}".strip()
    lines[-1] = lines[-1].rstrip(",")
    return lines


def _drawn(item: Room, box: Box) -> str:
    x, y = box.x + PAD, box.y + 24
    parts = [
        f'<rect class="room" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="8"/>\n',
        f'<text class="name" x="{x}" y="{y}">{item.name}/</text>\n',
        f'<text class="quiet" x="{x + 76}" y="{y}">{escape(PURPOSES[item.name])}</text>\n',
    ]
    y = box.y + HEAD
    for row in _rows(item.packages, box.width):
        parts += [
            f'<text x="{x + CELL * column}" y="{y}">{escape(name)}</text>\n'
            for column, name in enumerate(row)
        ]
        y += ROW
    for number, line in enumerate(_lines(item.libraries, box.width)):
        lead = "" if number else "uses "
        parts.append(f'<text class="quiet" x="{x}" y="{y}">{lead}{escape(line)}</text>\n')
        y += ROW
    return "".join(parts)


def _arrow(boxes: Mapping[str, Box], source: str, target: str) -> str:
    """Draw one import, straight down from where both boxes are, or else between the boxes of the middle."""
    start, end = boxes[source], boxes[target]
    left, right = max(start.x, end.x), min(start.x + start.width, end.x + end.width)
    x = (left + right) // 2
    begin, stop = start.y + start.height, end.y
    if left > right or begin > stop:
        # No arrow goes up or aside; if one is imported, it is drawn over everything, to be seen.
        return (
            f'<path class="arrow" d="M{start.x + start.width // 2} {start.y} '
            f'L{end.x + end.width // 2} {end.y + end.height}"/>\n'
        )
    return (
        f'<path class="arrow" d="M{x} {begin} V{stop - 2}"><title>{source} imports {target}</title></path>\n'
    )


def main(names: Iterable[str] = ROOMS) -> None:
    """Write the picture to standard output."""
    sys.stdout.write(picture({name: room(name) for name in names}))


if __name__ == "__main__":
    main()
