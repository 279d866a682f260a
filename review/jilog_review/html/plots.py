"""Plots as SVG. Each is 360 units wide: its letters can be read on a phone, and grow on a desk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jilog_review.detector import Kind
from jilog_review.html.markup import Markup, element, joined
from jilog_review.html.scale import round_up, spread, ticks

WIDTH = 360.0
_LEFT = 30.0
_RIGHT = 6.0
_TOP = 8.0
_LETTER = 7.2
"""Width of a letter at the font size that phones get, for cutting names off."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a plot's data goes: ``count`` columns between the axes."""

    count: int
    height: float
    top: int

    @property
    def step(self) -> float:
        """Width of a column."""
        return (WIDTH - _LEFT - _RIGHT) / max(1, self.count)

    def x(self, place: float) -> float:
        """Give the left edge of a column."""
        return _LEFT + place * self.step

    def y(self, value: float) -> float:
        """Give the height of a value."""
        return _TOP + self.height * (1 - value / self.top)


@dataclass(frozen=True, slots=True)
class Caption:
    """What a drawing is called, and what it shows in words. ``name`` is unique in the page."""

    name: str
    title: str
    said: str


def svg(caption: Caption, height: float, *content: Markup | None) -> Markup:
    """Make a drawing that says in words what it shows."""
    return element(
        "svg",
        element("title", caption.title, id=f"{caption.name}-title"),
        element("desc", caption.said, id=f"{caption.name}-desc"),
        *content,
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        role="img",
        aria_labelledby=f"{caption.name}-title {caption.name}-desc",
    )


def stacked_days(caption: Caption, days: Sequence[str], values: Sequence[Mapping[Kind, int]]) -> Markup:
    """Draw a bar a day, with a layer for each kind."""
    frame = Frame(len(days), 150.0, round_up(max((sum(v.values()) for v in values), default=0)))
    bars = [
        _stack(frame, place, day, kinds) for place, (day, kinds) in enumerate(zip(days, values, strict=True))
    ]
    return svg(caption, 186.0, _axes(frame, days), *bars)


def _stack(frame: Frame, place: int, day: str, kinds: Mapping[Kind, int]) -> Markup:
    layers, below = [], 0
    width = max(1.0, frame.step * 0.8)
    for kind in Kind:
        count = kinds.get(kind, 0)
        if count:
            layers.append(
                element(
                    "rect",
                    x=frame.x(place) + (frame.step - width) / 2,
                    y=frame.y(below + count),
                    width=width,
                    height=frame.y(below) - frame.y(below + count),
                    class_=f"kind-{kind.value}",
                )
            )
            below += count
    said = ", ".join(f"{count} {kind.value}s" for kind, count in kinds.items() if count) or "no signals"
    return element("g", element("title", f"{day}: {said}"), *layers)


def _axes(frame: Frame, days: Sequence[str]) -> Markup:
    lines = []
    for value in ticks(frame.top):
        y = frame.y(value)
        lines.append(element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
        lines.append(element("text", value, x=_LEFT - 4, y=y + 3.5, text_anchor="end"))
    return joined(*lines, _dates(frame, days, _TOP + frame.height))


def _dates(frame: Frame, days: Sequence[str], bottom: float) -> Markup:
    """Write a few dates below an axis, as month and day."""
    places = spread(len(days), 5)
    texts = []
    for place in places:
        anchor = "start" if place == places[0] else "end" if place == places[-1] else "middle"
        x = frame.x(place) + (frame.step if anchor == "end" else 0 if anchor == "start" else frame.step / 2)
        texts.append(element("text", days[place][5:], x=x, y=bottom + 16, text_anchor=anchor))
    return joined(*texts)


@dataclass(frozen=True, slots=True)
class Dot:
    """A mark of a timeline: in which column and row, how large (a count), and what it says."""

    place: int
    row: int
    count: int
    says: str
    form: str


def timeline(caption: Caption, days: Sequence[str], rows: Sequence[str], dots: Sequence[Dot]) -> Markup:
    """Draw a row for each name, with its name above the row's line and a mark on each of its days."""
    frame = Frame(len(days), 30.0 * len(rows), 1)
    drawn = [_row(place, row) for place, row in enumerate(rows)]
    marks = [_dot(frame, dot) for dot in dots]
    return svg(
        caption,
        _TOP + frame.height + 24,
        *drawn,
        _dates(frame, days, _TOP + frame.height),
        *marks,
    )


def _row(place: int, name: str) -> Markup:
    y = _TOP + 30.0 * place + 20
    return joined(
        element("text", cut(name, WIDTH - 12), x=6, y=y - 9),
        element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y, class_="grid"),
    )


def _dot(frame: Frame, dot: Dot) -> Markup:
    x, y = frame.x(dot.place + 0.5), _TOP + 30.0 * dot.row + 20
    size = min(6.5, 2.5 + dot.count / 2)
    mark = (
        element("circle", cx=x, cy=y, r=size, class_="p0")
        if dot.form == "signature"
        else element("rect", x=x - size, y=y - size, width=2 * size, height=2 * size, class_="p0 hollow")
    )
    return element("g", element("title", dot.says), mark)


def named_bars(caption: Caption, rows: Sequence[tuple[str, Mapping[Kind, int]]]) -> Markup:
    """Draw a bar to the right for each name, with a layer for each kind and its sum beside it."""
    top = round_up(max((sum(kinds.values()) for _, kinds in rows), default=0))
    drawn = [_named_bar(place, label, kinds, top) for place, (label, kinds) in enumerate(rows)]
    return svg(caption, _TOP + 34.0 * len(rows), *drawn)


def _named_bar(place: int, label: str, kinds: Mapping[Kind, int], top: int) -> Markup:
    y, x = _TOP + 34.0 * place, 6.0
    room = WIDTH - 52.0
    layers = []
    for kind in Kind:
        count = kinds.get(kind, 0)
        if count:
            width = room * count / top
            layers.append(
                element("rect", x=x, y=y + 14, width=width, height=12.0, class_=f"kind-{kind.value}")
            )
            x += width
    total = sum(kinds.values())
    said = ", ".join(f"{count} {kind.value}s" for kind, count in kinds.items() if count) or "no signals"
    return element(
        "g",
        element("title", f"{label}: {said}"),
        element("text", cut(label, WIDTH - 12), x=6, y=y + 9),
        *layers,
        element("text", total, x=x + 5, y=y + 24),
    )


def spark_days(caption: Caption, days: Sequence[str], values: Sequence[int], closed: int | None) -> Markup:
    """Draw a bar a day; the line of dashes is the day after which the issue counts as closed."""
    frame = Frame(len(days), 56.0, round_up(max(values, default=0)))
    width = max(1.0, frame.step * 0.8)
    bars = [
        element(
            "g",
            element("title", f"{days[place]}: {value}"),
            element(
                "rect",
                x=frame.x(place) + (frame.step - width) / 2,
                y=frame.y(value),
                width=width,
                height=frame.y(0) - frame.y(value),
                class_="after" if closed is not None and place > closed else "before",
            ),
        )
        for place, value in enumerate(values)
        if value
    ]
    return svg(caption, 92.0, _axes(frame, days), *bars, _closing(frame, closed))


def _closing(frame: Frame, closed: int | None) -> Markup | None:
    if closed is None:
        return None
    x = frame.x(closed + 1)
    left = x > WIDTH / 2
    return joined(
        element("line", x1=x, x2=x, y1=_TOP, y2=_TOP + frame.height, class_="closed"),
        element(
            "text", "closed", x=x - 4 if left else x + 4, y=_TOP + 8, text_anchor="end" if left else "start"
        ),
    )


def cut(text: str, width: float) -> str:
    """Cut a name to the letters that fit."""
    text = " ".join(text.split())
    letters = int(width / _LETTER)
    return text if len(text) <= letters else text[: letters - 1] + "…"
