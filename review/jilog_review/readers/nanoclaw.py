"""The ``nanoclaw`` reader: what the agents of a NanoClaw installation did, each in its own container.

Options: ``path``, or ``paths`` with one item (its data folder, ``~/nanoclaw/data`` by default), ``db``
(``v2.db`` in that folder), and ``include`` and ``exclude``: lists of agents by id, name or folder, of which
``exclude`` wins. The sessions are Claude Code's, in ``v2-sessions/<agent>/.claude-shared/projects``; what
people wrote stands in ``<message …>`` elements, several in one turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from xml.sax.saxutils import unescape

from jilog_ledger.errors import InputError
from jilog_review.cursor import Cursor
from jilog_review.file_source import FileSource, FoundFile, LocalFiles
from jilog_review.files import expand_home
from jilog_review.piece import decode_piece, read_piece
from jilog_review.reader import (
    Discovery,
    Problem,
    ReaderConfig,
    Reading,
    Source,
    check_options,
    list_option,
    text_option,
)
from jilog_review.readers.claude_format import LINE_DECODER, Block, Line
from jilog_review.readers.claude_lines import LineSorter
from jilog_review.readers.claude_reading import claude_reading
from jilog_review.readers.nanoclaw_agents import Agent, load_agents

_OPTIONS = ("path", "paths", "db", "include", "exclude")
_DEFAULT = "~/nanoclaw/data"
_SESSIONS = "v2-sessions"
_SHARED = ".claude-shared"
_MESSAGE = re.compile(r"<message\b[^>]*>(.*?)</message>", re.DOTALL)
_ENTITIES = {"&quot;": '"', "&#39;": "'", "&apos;": "'"}
_NOT_HUMAN = ("<task", "<webhook", "<system", "<context", "<scheduled")
"""Turns that NanoClaw itself begins."""


@dataclass(frozen=True, slots=True)
class NanoclawReader:
    """Reads the sessions of the agents below ``data``, a folder where ``files`` finds it."""

    data: str
    database: str
    include: frozenset[str] = frozenset()
    exclude: frozenset[str] = frozenset()
    files: FileSource = field(default_factory=LocalFiles)
    name: str = "nanoclaw"

    def discover(self, since_ns: int) -> Discovery:
        """Find the sessions modified at or after ``since_ns``, of the agents that are wanted.

        Without the database nobody's name is known: agents go by their ids, and where some shall be left out
        all are, for a private conversation must not slip in.
        """
        problems: list[Problem] = []
        agents = self._agents(problems)
        sources: list[Source] = []
        for found in self.files.find(f"{self.data}/{_SESSIONS}", ".jsonl", problems):
            agent_id = _agent_of(found.path, self.data)
            if agent_id is None or found.modified_ns < since_ns:
                continue
            agent = agents.get(agent_id)
            if self._is_wanted(agent):
                sources.append(_source_of(found, agent or Agent(agent_id, agent_id)))
        return Discovery(tuple(sorted(sources, key=lambda source: source.key)), tuple(problems))

    def _agents(self, problems: list[Problem]) -> Mapping[str, Agent]:
        try:
            return load_agents(self.files.fetch_database(self.database))
        except FileNotFoundError as exc:
            if self.include or self.exclude:
                problems.append(Problem(self.database, f"cannot be read: {exc.strerror}; no agent is known"))
        except OSError as exc:
            problems.append(Problem(self.database, f"{exc.strerror or exc}; no agent is known"))
        return {}

    def _is_wanted(self, agent: Agent | None) -> bool:
        if not self.include and not self.exclude:
            return True
        if agent is None or agent.names & self.exclude:
            return False
        return not self.include or bool(agent.names & self.include)

    def read(self, source: Source, cursor: Cursor | None) -> Reading:
        """Read the next piece of one session."""
        piece = read_piece(self.files.fetch(source.key), cursor)
        lines = decode_piece(piece, LINE_DECODER)
        sorter = LineSorter(piece.new_offset)
        unwrapped = ((number, offset, unwrap_line(line)) for number, offset, line in lines)
        sorter.add_all(unwrapped, sidechain=source.is_subagent)
        return claude_reading(self.name, source, piece, lines, sorter)


def make_nanoclaw_reader(config: ReaderConfig) -> NanoclawReader:
    """Make the reader of a ``[[reader]]`` table, for an installation on this host.

    Raises:
        InputError: an option is unknown or has a wrong value.
    """
    return nanoclaw_reader(config, LocalFiles(), lambda path: expand_home(path, config.environment))


def nanoclaw_reader(config: ReaderConfig, files: FileSource, expand: Callable[[str], str]) -> NanoclawReader:
    """Make the reader of an installation anywhere; ``expand`` knows what ``~`` means where it is.

    Raises:
        InputError: an option is unknown or has a wrong value.
    """
    check_options(config, _OPTIONS)
    paths = list_option(config, "paths") or (text_option(config, "path") or _DEFAULT,)
    if len(paths) > 1:
        raise InputError(
            "a reader of type 'nanoclaw' has one data folder",
            hint="add a [[reader]] for each installation",
        )
    data = expand(paths[0]).rstrip("/")
    database = text_option(config, "db")
    return NanoclawReader(
        data,
        expand(database) if database else f"{data}/v2.db",
        frozenset(list_option(config, "include") or ()),
        frozenset(list_option(config, "exclude") or ()),
        files,
    )


def unwrap_line(line: Line) -> Line:
    """Give a user line the words that people wrote, without the elements they were handed over in."""
    message = line.message
    if line.type != "user" or message is None:
        return line
    if isinstance(message.content, str):
        message.content = unwrap(message.content)
        line.is_meta = line.is_meta or _is_own(message.content)
        return line
    for block in message.content or ():
        if block.type == "text" and block.text:
            block.text = unwrap(block.text)
    texts = [block.text for block in message.content or () if _is_text(block)]
    line.is_meta = line.is_meta or (bool(texts) and all(_is_own(text or "") for text in texts))
    return line


def unwrap(text: str) -> str:
    """Join the ``<message>`` elements of a turn, unescaped; a text without one stays as it is."""
    parts = [unescape(part.strip(), _ENTITIES) for part in _MESSAGE.findall(text)]
    return "\n".join(parts) if parts else text


def _is_text(block: Block) -> bool:
    return block.type == "text" and bool(block.text)


def _is_own(text: str) -> bool:
    return text.lstrip().startswith(_NOT_HUMAN)


def _agent_of(path: str, data: str) -> str | None:
    """Give the agent in whose shared folder a file lies."""
    parts = PurePosixPath(path).parts[len(PurePosixPath(data).parts) :]
    return parts[1] if len(parts) > 4 and parts[2] == _SHARED and parts[3] == "projects" else None


def _source_of(found: FoundFile, agent: Agent) -> Source:
    path = PurePosixPath(found.path)
    folders = path.parts[:-1]
    is_subagent = "subagents" in folders or path.stem.startswith("agent-")
    root = folders[folders.index("subagents") - 1] if "subagents" in folders else path.stem
    return Source(
        found.path,
        path.stem,
        root,
        found.modified_ns,
        is_subagent=is_subagent,
        persona=agent.persona,
        channel=agent.channel,
    )
