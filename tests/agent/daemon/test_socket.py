"""The socket: agentlog's protocol to the letter, and what goes beyond it."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from jilog_agent.daemon.limits import CLIENTS_MAX, LINE_BYTES_MAX, REQUEST_BYTES_MAX
from support.agent_process import LineClient, ask, ask_raw, connected, refusal, running, wait_for
from support.jilog_cli import Host

ENTRY = {"session_id": "s1", "type": "decision", "title": "Use SQLite"}


def write(host: Host, **more: object) -> Any:
    return ask(host, "write", {"entry": {**ENTRY, **more}})


def code_of(reply: Any) -> str:
    assert reply["ok"] is False
    return str(reply["code"])


def test_af27_write_gives_the_whole_entry_and_leaves_out_what_is_empty(agent: Host) -> None:
    least = write(agent)
    full = write(
        agent,
        id="7f7bff0e-7a8f-4c3f-9d5e-0d2c0a2c6c11",
        timestamp="2026-11-22T02:14:48.123456789Z",
        body="Why",
        tags=["b", "a", "b"],
        file_refs=["src/a b.py", "src/c,d.py"],
    )

    assert set(least) == {"id", "timestamp", "session_id", "type", "title"}
    assert full == {
        "id": "7f7bff0e-7a8f-4c3f-9d5e-0d2c0a2c6c11",
        "timestamp": "2026-11-22T02:14:48.123456789Z",
        "session_id": "s1",
        "type": "decision",
        "title": "Use SQLite",
        "body": "Why",
        "tags": ["b", "a"],
        "file_refs": ["src/a b.py", "src/c,d.py"],
    }


def test_af27_reading_methods_answer_in_agentlogs_shapes(agent: Host) -> None:
    for method, params in (
        ("query", {}),
        ("query", {"type": "question"}),
        ("search", {"query": "nothing"}),
        ("blame", {"file_path": "x"}),
        ("context", {"files": ["x"]}),
    ):
        assert ask(agent, method, params) is None, method
    assert ask(agent, "list_sessions") == []
    first = write(agent, file_refs=["src/a.py"], body="pages", timestamp="2026-01-01T00:00:00Z")
    second = write(agent, session_id="s2", type="question", title="my-project in C++?", tags=["x"])

    assert ask(agent, "query", {}) == [second, first]
    assert ask(agent, "query", {"type": "question", "tags": ["x"]}) == [second]
    assert ask(agent, "query", {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"}) == [first]
    assert ask(agent, "query", {"limit": 1, "offset": 1}) == [first]
    assert ask(agent, "search", {"query": "my-project C++"}) == [second]
    assert ask(agent, "search", {"query": "don't AND ("}) is None
    assert ask(agent, "get_session", {"session_id": "s1"}) == [first]
    assert ask(agent, "list_sessions") == ["s1", "s2"]
    assert ask(agent, "blame", {"file_path": "src/a.py"}) == [first]
    assert ask(agent, "blame", {"file_path": "src"}) == [first]
    assert ask(agent, "context", {"files": ["src/a.py"], "topic": "C++"}) == [second, first]
    assert ask(agent, "export", {"format": "text", "session_id": "s1"}).startswith(
        "2026-01-01 00:00:00 [decision] Use SQLite"
    )
    assert json.loads(ask(agent, "export", {"format": "json", "tag": "x"}))[0]["id"] == second["id"]


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("nonsense", {}, "unknown method: nonsense"),
        ("query", None, "invalid query params: unexpected end of JSON input"),
        ("write", None, "invalid write params: unexpected end of JSON input"),
        ("query", {"limit": "many"}, "invalid query params: "),
        ("write", {"entry": {**ENTRY, "type": "x"}}, 'write failed: invalid entry type "x": must be one of'),
        ("write", {"entry": {**ENTRY, "title": ""}}, "write failed: entry title must not be empty"),
        ("write", {"entry": {**ENTRY, "session_id": ""}}, "write failed: entry session_id must not be empty"),
        ("write", {"entry": {**ENTRY, "timestamp": "noon"}}, "invalid timestamp: "),
        ("query", {"start": "noon"}, "invalid start time: "),
        ("query", {"end": "noon"}, "invalid end time: "),
        ("search", {"query": " "}, "search query must not be empty"),
        ("get_session", {"session_id": ""}, "session_id must not be empty"),
        ("get_session", {"session_id": "none"}, "get session failed: "),
        ("get_session", {"session_id": "../x"}, "get session failed: invalid session id"),
        ("write", {"entry": {**ENTRY, "session_id": "../x"}}, "invalid session id"),
        ("blame", {"file_path": ""}, "file_path must not be empty"),
        ("context", {}, "context requires at least one of files or topic"),
        ("export", {"format": "x"}, 'invalid format "x": must be one of markdown, json, text'),
        ("export", {"template": "x"}, 'invalid template "x": must be one of pr, retro, handoff'),
        ("export", {"since": "noon"}, "export query failed: invalid since: "),
    ],
)
def test_af27_refusals_say_why_in_agentlogs_words(
    patient_agent: Host, method: str, params: object, error: str
) -> None:
    assert refusal(patient_agent, method, params).startswith(error)


@pytest.mark.parametrize(
    "line", [b"\n", b"{\n", b"[]\n", b"null\n", b'{"method":1}\n', b"\xff\xfe\n", b"[" * 100_000 + b"\n"]
)
def test_af27_what_is_no_request_is_answered_in_one_line(patient_agent: Host, line: bytes) -> None:
    reply = ask_raw(patient_agent, line)

    assert reply["ok"] is False
    assert reply["error"].startswith("invalid request: ")


def test_af28_sessions_are_unique_usable_at_once_and_survive_a_restart(host: Host) -> None:
    with running(host):
        sessions = [ask(host, "create_session")["session_id"] for _ in range(50)]
    with running(host):
        write(host, session_id=sessions[0])

        assert len(set(sessions)) == 50
        assert ask(host, "list_sessions") == [sessions[0]]


def test_af29_of_16_clients_times_500_writes_each_is_acknowledged_once_and_stored_once(agent: Host) -> None:
    clients, writes = 16, 500
    acknowledged: list[str] = []

    def work(number: int) -> None:
        with LineClient(agent) as client:
            for turn in range(writes):
                entry = {**ENTRY, "title": f"{number} {turn}"}
                reply = client.ask(id=turn, method="write", params={"entry": entry})
                assert reply["id"] == turn
                acknowledged.append(reply["result"]["id"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=200)

    stored = [event["event_id"] for event in agent.events()]
    assert len(acknowledged) == len(stored) == clients * writes
    assert set(acknowledged) == set(stored)


def test_af31_a_body_of_one_mebibyte_comes_back_and_a_larger_one_is_refused_clearly(agent: Host) -> None:
    body = ("x" * 1023 + "\n") * 1024

    written = write(agent, body=body[:-1])
    too_long = refusal(agent, "write", {"entry": {**ENTRY, "body": body + "x"}})

    assert ask(agent, "get_session", {"session_id": "s1"})[0]["body"] == body[:-1] == written["body"]
    assert "body of 1048577 bytes is larger than the limit of 1048576 bytes" in too_long


def test_af31_no_line_of_a_long_reply_is_longer_than_line_readers_take(agent: Host) -> None:
    body = 'é"<\\\n' * 40_000
    write(agent, body=body)
    with LineClient(agent) as client:
        client.send(id="q", method="query", params={})
        lines = [client.lines.readline()]
        while b'"parts":' not in lines[-1]:
            lines.append(client.lines.readline())

    documents = [json.loads(line) for line in lines]
    reply = json.loads("".join(document["part"] for document in documents[:-1]))
    assert max(map(len, lines)) <= LINE_BYTES_MAX
    assert documents[-1] == {"id": "q", "parts": len(lines) - 1}
    assert (reply["id"], reply["ok"], reply["result"][0]["body"]) == ("q", True, body)


def test_a_request_line_beyond_the_limit_is_refused_before_it_is_parsed(agent: Host) -> None:
    with connected(agent) as channel, channel.makefile("rb") as lines:
        channel.sendall(b'{"method":"')
        for _ in range(3 * REQUEST_BYTES_MAX // 65_536):
            channel.sendall(b"x" * 65_536)
        reply = json.loads(lines.read())

    assert code_of(reply) == "too_large"
    assert ask(agent, "ping")


def test_one_connection_takes_many_requests_and_replies_name_theirs(agent: Host) -> None:
    with LineClient(agent) as client:
        for number in range(40):
            client.send(id=number, version=1, method="ping")
        replies = [client.read() for _ in range(40)]

    assert sorted(reply["id"] for reply in replies) == list(range(40))


def test_a_client_with_ids_gets_empty_lists_codes_and_hints(agent: Host) -> None:
    with LineClient(agent) as client:
        nothing = client.ask(id=1, method="query", params={})
        unknown = client.ask(id=2, method="qeury", params={})
        version = client.ask(id=3, version=9, method="ping")

    assert nothing == {"id": 1, "ok": True, "result": []}
    assert (code_of(unknown), unknown["hint"]) == ("unknown_method", "did you mean 'query'?")
    assert code_of(version) == "version"


def test_paths_are_understood_from_the_clients_folder(agent: Host) -> None:
    repository = agent.root / "repo"
    (repository / ".git").mkdir(parents=True)
    params = {"cwd": str(repository), "entry": {**ENTRY, "file_refs": ["a.py", str(repository / "b.py")]}}
    with LineClient(agent) as client:
        written = client.ask(id=1, method="write", params=params)["result"]
        found = client.ask(id=2, method="blame", params={"cwd": "/", "file_path": str(repository / "a.py")})

    assert [ref["path"] for ref in written["files"]] == ["a.py", "b.py"]
    assert [entry["id"] for entry in found["result"]] == [written["id"]]
    assert agent.run("blame", "b.py", cwd=repository).stdout.count("Use SQLite") == 1


def test_af9_the_same_id_again_changes_nothing_and_other_content_is_a_conflict(agent: Host) -> None:
    first = write(agent, id="mine")
    again = write(agent, id="mine")
    other = ask_raw(
        agent,
        json.dumps({"method": "write", "params": {"entry": {**ENTRY, "id": "mine", "title": "no"}}}).encode()
        + b"\n",
    )

    assert first == again
    assert code_of(other) == "conflict"
    assert len(agent.events()) == 1


@pytest.mark.parametrize("restart", [False, True])
def test_af3_an_idempotency_key_makes_a_second_try_a_no_op_even_after_a_restart(
    host: Host, restart: bool
) -> None:
    requests = [
        {"id": 1, "method": "write", "idempotency_key": "k1", "params": {"entry": ENTRY}},
        {
            "id": 2,
            "method": "append",
            "idempotency_key": "k2",
            "params": {"events": [{"event_class": "health", "payload": {"n": n}} for n in range(3)]},
        },
    ]
    results = []
    for turn in range(2):
        if turn == 0 or restart:
            context = running(host)
            context.__enter__()
        with LineClient(host) as client:
            results.append([client.ask(**request)["result"] for request in requests])
        if turn == 1 or restart:
            context.__exit__(None, None, None)

    first, second = results
    assert first[0]["id"] == second[0]["id"]
    assert (first[1]["created"], second[1]["created"]) == (3, 0)
    assert first[1]["events"] == second[1]["events"]
    assert len(host.events()) == 4


def test_append_is_all_or_nothing_and_says_where_the_events_stand(agent: Host) -> None:
    event = {"event_class": "health", "payload": {"subsystem": "x", "n": [1, None, "é"]}, "object_ref": "o:1"}
    with LineClient(agent) as client:
        good = client.ask(
            id=1, method="append", params={"events": [event, {**event, "payload_tier": "confidential"}]}
        )
        bad = client.ask(id=2, method="append", params={"events": [event, {**event, "event_class": "helth"}]})
        nobody = client.ask(id=3, method="append", params={"events": [event], "zone": "mian"})

    assert [item["source_seq"] for item in good["result"]["events"]] == [1, 1]
    assert (code_of(bad), bad["hint"]) == ("invalid_params", "did you mean 'health'?")
    assert nobody["hint"] == "did you mean 'main'?"
    assert [item["payload"] for item in agent.events()] == [event["payload"]] * 2


def test_tail_gives_what_comes_from_the_socket_and_from_other_processes(agent: Host) -> None:
    write(agent)
    with LineClient(agent) as client:
        assert client.ask(id="t", method="tail", params={"subsystems": ["job-*", "decision"]})["ok"]
        write(agent, title="over the socket")
        over_socket = client.read()
        agent.run("supervise", "--task", "job-1", "--", "true")
        by_command = client.read()
        cancelled = client.ask(id="c", method="cancel", params={"id": "t"})
        while cancelled.get("id") != "c":
            cancelled = client.read()

    assert over_socket["id"] == "t"
    assert over_socket["event"]["payload"]["title"] == "over the socket"
    assert by_command["event"]["payload"]["task"] == "job-1"
    assert cancelled["result"] == {"cancelled": "t"}


def test_tail_goes_on_after_a_sequence_that_the_client_remembers(agent: Host) -> None:
    for number in range(5):
        write(agent, title=str(number))
    with LineClient(agent) as client:
        client.ask(id=1, method="tail", params={"start": "beginning"})
        events = [client.read()["event"] for _ in range(5)]
    known = events[2]
    with LineClient(agent) as client:
        name = f"{known['source']}/{known['epoch']}"
        client.ask(id=1, method="tail", params={"after": {name: known["source_seq"]}})
        rest = [client.read()["event"] for _ in range(2)]

    assert [event["payload"]["title"] for event in events] == list("01234")
    assert rest == events[3:]


def test_a_confidential_event_is_not_in_a_tail_unless_asked_for(agent: Host) -> None:
    params = {
        "events": [{"event_class": "health", "payload_tier": "confidential"}, {"event_class": "health"}]
    }
    with LineClient(agent) as client, LineClient(agent) as trusted:
        client.ask(id=1, method="tail")
        trusted.ask(id=1, method="tail", params={"confidential": True})
        ask(agent, "append", params)
        seen = client.read()["event"]["payload_tier"]
        all_seen = {trusted.read()["event"]["payload_tier"] for _ in range(2)}

    assert seen == "structured"
    assert all_seen == {"structured", "confidential"}


def test_more_clients_than_allowed_are_told_so_and_a_slot_comes_back(agent: Host) -> None:
    clients = [LineClient(agent) for _ in range(CLIENTS_MAX)]
    assert clients[-1].ask(id=1, method="ping")["ok"]

    with connected(agent) as channel, channel.makefile("rb") as lines:
        # As clients do: the request is sent before anybody looks whether it will be read.
        channel.sendall(b'{"method":"ping"}\n')
        told = json.loads(lines.read())
    for client in clients:
        client.close()

    assert code_of(told) == "busy"
    wait_for(lambda: _answers(agent), "a free slot")


def _answers(host: Host) -> bool:
    with connected(host) as channel, channel.makefile("rb") as lines:
        try:
            channel.sendall(b'{"method":"ping"}\n')
            return bool(json.loads(lines.read())["ok"])
        except OSError:
            return False


def test_af30_the_log_has_outcome_and_latency_and_no_content(agent: Host) -> None:
    write(agent, body="the-secret-body", title="the-secret-title", tags=["the-secret-tag"])
    refusal(agent, "write", {"entry": {**ENTRY, "type": "the-secret-type"}})
    refusal(agent, "the-secret-method")
    ask_raw(agent, b"the-secret-line\n")

    log = (agent.state / "agent" / "agent.log").read_text()
    entries = [json.loads(line) for line in log.splitlines()]
    requests = [entry for entry in entries if entry["message"] == "request"]
    assert [(entry["method"], entry["outcome"]) for entry in requests] == [
        ("write", "ok"),
        ("write", "invalid_params"),
        ("unknown", "unknown_method"),
    ]
    assert all(entry["seconds"] >= 0 and entry["level"] == "info" for entry in requests)
    assert "secret" not in log


def test_metrics_count_requests_and_events(agent: Host) -> None:
    write(agent)
    refusal(agent, "nonsense")

    text = ask(agent, "metrics")

    assert 'jilog_requests_total{method="write",outcome="ok"} 1\n' in text
    assert 'jilog_requests_total{method="unknown",outcome="unknown_method"} 1\n' in text
    assert "jilog_events_appended_total 1\n" in text
    assert 'jilog_zone_events{zone="main"} 1\n' in text


def test_a_rebuild_works_while_the_agent_runs(agent: Host) -> None:
    write(agent)
    ask(agent, "query", {})

    done = agent.run("rebuild")

    assert done.returncode == 0
    assert len(ask(agent, "query", {})) == 1
