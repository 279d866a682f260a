"""NanoClaw: whose words, which agent, and which conversations stay out."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from jilog_ledger.errors import InputError
from jilog_review.file_source import FoundFile
from jilog_review.reader import Problem, Reader, ReaderConfig, make_reader
from jilog_review.readers.nanoclaw import nanoclaw_reader, unwrap
from jilog_review.transcript import Provenance, ToolResult
from support.transcripts import (
    Gathered,
    check_damage,
    check_growth,
    encode_lines,
    of_kind,
    only_source,
    read_all,
    write_lines,
)

Record = dict[str, object]
WORDS = '<message from="sam" id="7">don&apos;t post to &quot;#general&quot; &amp;lt;here&gt;</message>'


def user(number: int, content: object) -> Record:
    return {
        "type": "user",
        "uuid": f"u{number}",
        "timestamp": f"2026-11-01T09:00:{number:02}.000Z",
        "sessionId": "s",
        "message": {"role": "user", "content": content},
    }


def assistant(number: int, *blocks: Record) -> Record:
    return {**user(number, list(blocks)), "type": "assistant"}


STORY: list[Record] = [
    user(1, f'<context timezone="UTC"/>\n{WORDS}\n<message from="kim" id="8">\nnor to me\n</message>'),
    assistant(2, {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "pytst"}}),
    user(3, [{"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": "Exit code 127\nno"}]),
    assistant(4, {"type": "text", "text": "Sorry."}),
    user(5, '<task id="9">water the plants</task>'),
    user(6, [{"type": "text", "text": '<message from="sam" id="10">stop</message>'}]),
]


def make_database(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        CREATE TABLE agent_groups (id TEXT PRIMARY KEY, name TEXT, folder TEXT);
        CREATE TABLE messaging_groups (id TEXT PRIMARY KEY, name TEXT);
        CREATE TABLE messaging_group_agents
            (agent_group_id TEXT, messaging_group_id TEXT, priority INTEGER, created_at TEXT);
        INSERT INTO agent_groups VALUES ('ag1', 'Ada', 'ada'), ('ag2', 'Bo', 'bo');
        INSERT INTO messaging_groups VALUES ('mg1', 'Family'), ('mg2', 'Work'), ('mg3', NULL);
        INSERT INTO messaging_group_agents VALUES
            ('ag1', 'mg1', 1, '2026-01-01'), ('ag1', 'mg2', 5, '2026-01-02'), ('ag1', 'mg3', 9, '2026');
        """
    )
    connection.commit()
    connection.close()


def session(tmp_path: Path, agent: str = "ag1", name: str = "s") -> Path:
    return tmp_path / f"data/v2-sessions/{agent}/.claude-shared/projects/-workspace-agent/{name}.jsonl"


def make(tmp_path: Path, **options: object) -> Reader:
    return make_reader(ReaderConfig("nanoclaw", {"path": str(tmp_path / "data"), **options}))


def read_story(tmp_path: Path) -> Gathered:
    make_database(tmp_path / "data/v2.db")
    write_lines(session(tmp_path), STORY)
    reader = make(tmp_path)
    return read_all(reader, only_source(reader))


def test_turn_when_it_holds_several_messages_is_their_words_joined(tmp_path: Path) -> None:
    gathered = read_story(tmp_path)

    assert gathered.human() == ['don\'t post to "#general" &lt;here>\nnor to me', "stop"]
    assert gathered.said(Provenance.INJECTED) == ['<task id="9">water the plants</task>']
    (result,) = of_kind(gathered.entries, ToolResult)
    assert (result.tool, result.command, result.exit_status) == ("Bash", "pytst", 127)
    assert (gathered.transcript.persona, gathered.transcript.channel) == ("Ada", "Work, Family")
    assert gathered.transcript.reader == "nanoclaw"


def test_text_without_an_element_when_unwrapped_stays_as_it_is() -> None:
    assert unwrap("a < b &amp; c") == "a < b &amp; c"


def names(reader: Reader) -> list[str | None]:
    return [source.persona for source in reader.discover(0).sources]


def test_agents_when_included_or_excluded_by_any_name_are_chosen(tmp_path: Path) -> None:
    make_database(tmp_path / "data/v2.db")
    for agent in ("ag1", "ag2", "stranger"):
        write_lines(session(tmp_path, agent, agent), STORY)

    assert names(make(tmp_path)) == ["Ada", "Bo", "stranger"]
    assert names(make(tmp_path, include=["Ada"])) == ["Ada"]
    assert names(make(tmp_path, include=["bo", "ag1"])) == ["Ada", "Bo"]
    assert names(make(tmp_path, exclude=["ag2"])) == ["Ada"]
    assert names(make(tmp_path, include=["ada", "bo"], exclude=["Bo"])) == ["Ada"]


@pytest.mark.parametrize("broken", [True, False])
def test_database_when_unreadable_leaves_everybody_out_where_somebody_should_be(
    tmp_path: Path, broken: bool
) -> None:
    write_lines(session(tmp_path), STORY)
    if broken:
        (tmp_path / "data/v2.db").write_bytes(b"no database at all, just bytes" * 100)

    everybody = make(tmp_path).discover(0)
    chosen = make(tmp_path, exclude=["Bo"]).discover(0)

    assert [source.persona for source in everybody.sources] == ["ag1"]
    assert len(everybody.problems) == broken
    assert chosen.sources == ()
    assert "no agent is known" in chosen.problems[0].message


def test_database_when_it_does_not_tell_where_agents_speak_names_them_all_the_same(tmp_path: Path) -> None:
    make_database(tmp_path / "data/v2.db")
    write_lines(session(tmp_path), STORY)
    with contextlib.closing(sqlite3.connect(tmp_path / "data/v2.db")) as database:
        database.execute("DROP TABLE messaging_group_agents")

    found = make(tmp_path, include=["Ada"]).discover(0)

    assert [(source.persona, source.channel) for source in found.sources] == [("Ada", None)]
    assert found.problems == ()


def test_database_when_being_written_is_still_read(tmp_path: Path) -> None:
    make_database(tmp_path / "data/v2.db")
    write_lines(session(tmp_path), STORY)
    writer = sqlite3.connect(tmp_path / "data/v2.db")
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE agent_groups SET name = 'Eve'")

    try:
        assert names(make(tmp_path)) == ["Ada"]
    finally:
        writer.close()


def test_database_when_named_outright_is_used(tmp_path: Path) -> None:
    make_database(tmp_path / "elsewhere.db")
    write_lines(session(tmp_path), STORY)

    assert names(make(tmp_path, db=str(tmp_path / "elsewhere.db"))) == ["Ada"]


def test_sub_agent_when_in_its_folder_belongs_to_its_session(tmp_path: Path) -> None:
    write_lines(session(tmp_path).parent / "s/subagents/agent-1.jsonl", STORY)

    source = only_source(make(tmp_path))

    assert (source.session_id, source.root_session, source.is_subagent) == ("agent-1", "s", True)


def test_other_files_when_in_the_data_folder_are_left_alone(tmp_path: Path) -> None:
    write_lines(tmp_path / "data/v2-sessions/ag1/s/log.jsonl", STORY)
    write_lines(tmp_path / "data/v2-sessions/ag1/.claude-shared/history.jsonl", STORY)

    assert make(tmp_path).discover(0).sources == ()


@dataclass(frozen=True)
class ElsewhereFiles:
    """Files of another host, of which this one has copies below ``copies``."""

    copies: Path

    def find(self, folder: str, suffix: str, problems: list[Problem]) -> Iterable[FoundFile]:
        for path in (self.copies / folder.lstrip("/")).rglob(f"*{suffix}"):
            yield FoundFile("/" + str(path.relative_to(self.copies)), 1)

    def fetch(self, path: str) -> Path:
        return self.copies / path.lstrip("/")

    def fetch_database(self, path: str) -> Path:
        return self.copies / path.lstrip("/")


def test_installation_on_another_host_when_its_files_are_fetched_is_read_the_same(tmp_path: Path) -> None:
    expected = read_story(tmp_path / "here")
    copies = tmp_path / "copies"
    (copies / "srv").mkdir(parents=True)
    (tmp_path / "here/data").rename(copies / "srv/data")
    config = ReaderConfig("nanoclaw", {"path": "~/data"})
    reader = nanoclaw_reader(config, ElsewhereFiles(copies), lambda path: path.replace("~", "/srv"))

    gathered = read_all(reader, only_source(reader))

    assert gathered.entries == expected.entries
    assert gathered.transcript.source_file.startswith("/srv/data/v2-sessions/")


def test_growing_session_when_read_bit_by_bit_gives_the_same(tmp_path: Path) -> None:
    path = write_lines(session(tmp_path), STORY)
    reader = make(tmp_path)

    check_growth(reader, only_source(reader), path, encode_lines(STORY))


def test_damaged_session_when_read_never_raises(tmp_path: Path) -> None:
    path = write_lines(session(tmp_path), STORY)
    reader = make(tmp_path)

    check_damage(reader, only_source(reader), path, b"".join(encode_lines(STORY)))


def test_data_folders_when_there_are_several_are_refused() -> None:
    with pytest.raises(InputError, match="one data folder"):
        make_reader(ReaderConfig("nanoclaw", {"paths": ["/a", "/b"]}))
