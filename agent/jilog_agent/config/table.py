"""A TOML table that is read key by key and complains about whatever nobody asked for.

Each reading method names the key it wants, so the list of known keys is never written down twice: after the
last one, ``finish`` holds what the file has against what was asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from jilog_agent.config.nearest import did_you_mean
from jilog_ledger.errors import InputError


class Table:
    """One table of one config file; ``name`` is how the file calls it, such as ``[[reader]] number 2``."""

    def __init__(self, file: Path, name: str, values: Mapping[str, object]) -> None:
        self.file = file
        self.name = name
        self._values = values
        self._known: list[str] = []

    def has(self, key: str) -> bool:
        """Tell whether the file has this key; the key counts as known."""
        self._known.append(key)
        return key in self._values

    def error(self, message: str, hint: str | None = None) -> InputError:
        """Make an error that says where in which file."""
        return InputError(f"{self.file}: {self.name}: {message}", hint=hint)

    def text(self, key: str) -> str | None:
        """Read a string that is not empty; None when the key is missing."""
        if not self.has(key):
            return None
        value = self._values[key]
        if not isinstance(value, str):
            raise self._wrong_type(key, "text in quotes", value)
        if not value.strip():
            raise self.error(f"{key} is empty", hint="give it a value or remove the line")
        return value

    def required_text(self, key: str, example: str) -> str:
        """Read a string that must be there."""
        value = self.text(key)
        if value is None:
            near = did_you_mean(key, [other for other in self._values if other not in self._known])
            hint = f"{near} rename it to {key}" if near else f"add a line such as: {key} = {example!r}"
            raise self.error(f"{key} is missing", hint=hint)
        return value

    def choice(self, key: str, allowed: Sequence[str]) -> str | None:
        """Read one of a few words."""
        value = self.text(key)
        if value is None or value in allowed:
            return value
        hint = did_you_mean(value, allowed) or f"use one of: {', '.join(allowed)}"
        raise self.error(f"unknown {key} {value[:80]!r}", hint=hint)

    def integer(self, key: str, least: int, most: int) -> int | None:
        """Read a whole number from ``least`` to ``most``."""
        if not self.has(key):
            return None
        value = self._values[key]
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong_type(key, "a whole number", value)
        if not least <= value <= most:
            raise self.error(f"{key} is {value}", hint=f"use a number from {least} to {most}")
        return value

    def boolean(self, key: str) -> bool | None:
        """Read ``true`` or ``false``."""
        if not self.has(key):
            return None
        value = self._values[key]
        if not isinstance(value, bool):
            raise self._wrong_type(key, "true or false", value)
        return value

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Read a list of strings."""
        if not self.has(key):
            return None
        value = self._values[key]
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self._wrong_type(key, 'a list of texts such as ["one", "two"]', value)
        return tuple(value)

    def table(self, key: str) -> Table | None:
        """Read a ``[key]`` table."""
        if not self.has(key):
            return None
        value = self._values[key]
        if isinstance(value, list) and value and isinstance(value[0], dict):
            raise self.error(f"[[{key}]] stands where one table is meant", hint=f"write [{key}]")
        if not isinstance(value, dict):
            raise self._wrong_type(key, f"a table [{key}]", value)
        return Table(self.file, f"[{key}]", value)

    def tables(self, key: str) -> list[Table]:
        """Read all ``[[key]]`` tables, in the file's order."""
        if not self.has(key):
            return []
        value = self._values[key]
        if isinstance(value, dict):
            raise self.error(f"[{key}] stands where a list of tables is meant", hint=f"write [[{key}]]")
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong_type(key, f"tables [[{key}]]", value)
        return [Table(self.file, f"[[{key}]] number {n}", item) for n, item in enumerate(value, start=1)]

    def rest(self) -> dict[str, object]:
        """Give the keys that nothing has asked for, as written; somebody else checks them."""
        left = {key: value for key, value in self._values.items() if key not in self._known}
        self._known.extend(left)
        return left

    def finish(self) -> None:
        """Refuse the first key that nothing has asked for.

        Raises:
            InputError: naming the file, the table, the key and the nearest key that is known.
        """
        for key in self._values:
            if key not in self._known:
                known = list(dict.fromkeys(self._known))
                hint = did_you_mean(key, known) or f"the known keys are: {', '.join(known)}"
                raise self.error(f"unknown key {key[:80]!r}", hint=hint)

    def _wrong_type(self, key: str, wanted: str, value: object) -> InputError:
        return self.error(
            f"{key} must be {wanted}, not {_describe(value)}", hint=f"look at {key} in {self.file}"
        )


def _describe(value: object) -> str:
    names = {
        bool: "true or false",
        int: "a number",
        float: "a number",
        str: "text",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), f"a {type(value).__name__}")
