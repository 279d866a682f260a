"""Labelling in a terminal: one signal, one key. The rules are here; keys and screen are handed in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from jilog_review.labels import Verdict
from jilog_review.signal import Signal

_VERDICT_KEYS = {
    "t": Verdict.RIGHT,
    "f": Verdict.WRONG,
    "w": Verdict.WONTFIX,
    "u": Verdict.UNSURE,
}
KEYS = "[t]rue  [f]alse: mute it  [w]on't fix: mute it  [u]nsure  [s]kip  [b]ack  [q]uit"

ReadKey = Callable[[], str]
"""Gives one key; an empty text at the end of input."""

Show = Callable[[Signal], Sequence[str]]
"""Gives the lines that say what a signal is."""


@dataclass(slots=True)
class LabelScreen:
    """Asks for a verdict on each signal. ``record`` makes a label durable before the next one is asked."""

    read_key: ReadKey
    write_line: Callable[[str], None]
    show: Show
    record: Callable[[Signal, Verdict], None]
    labelled: set[str] = field(default_factory=set)

    def run(self, signals: Sequence[Signal]) -> None:
        """Ask until all were asked, the person quits, or input ends."""
        place = 0
        while place < len(signals):
            step = self._ask(signals, place)
            if step is None:
                return
            place = max(0, place + step)

    def _ask(self, signals: Sequence[Signal], place: int) -> int | None:
        """Ask about one signal; gives how many to go on, None to stop."""
        signal = signals[place]
        self.write_line("")
        self.write_line(f"--- {place + 1} of {len(signals)}")
        for line in self.show(signal):
            self.write_line(line)
        self.write_line(KEYS)
        while True:
            key = self.read_key().lower()
            verdict = _VERDICT_KEYS.get(key)
            if verdict is not None:
                self.record(signal, verdict)
                self.labelled.add(signal.id)
                self.write_line(f"{verdict.value}")
                return 1
            if key in {"s", " "}:
                return 1
            if key == "b":
                return -1
            if key in {"q", ""}:
                return None
            self.write_line(KEYS)


@contextmanager
def terminal_keys() -> Iterator[ReadKey]:
    """Read single keys from the terminal on standard input; however the block ends, its mode comes back.

    Ctrl-C still interrupts. Keys that send several bytes (arrows) are read whole and mean nothing.
    """
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield lambda: os.read(descriptor, 32).decode("utf-8", "replace")
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
