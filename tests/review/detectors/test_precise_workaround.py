"""Workarounds: marks that edits add, in every harness's shape, and commands that go around a check."""

from __future__ import annotations

import pytest

from jilog_review.detectors.precise.workaround import WorkaroundDetector
from jilog_review.transcript import Denial
from support.precise_session import Session, rules

DETECTOR = WorkaroundDetector()


def added(path: str, new: str, old: str = "x = 1\n") -> list[str]:
    return rules(Session().edit(path, old, new).findings(DETECTOR))


@pytest.mark.parametrize(
    ("path", "new", "rule"),
    [
        ("a.go", "return nil //nolint:nilerr // fine", "lint-suppression"),
        ("a.go", "data := f() // nolint:gosec", "lint-suppression"),
        ("a.py", "import x  # noqa: F401", "lint-suppression"),
        ("a.py", "import x  # pylint: disable=unused-import", "lint-suppression"),
        ("a.ts", "// eslint-disable-next-line no-console", "lint-suppression"),
        ("a.ts", "// biome-ignore lint: later", "lint-suppression"),
        ("a.rs", "#[allow(dead_code)]", "lint-suppression"),
        ("A.java", '@SuppressWarnings("unchecked")', "lint-suppression"),
        ("a.sh", "# shellcheck disable=SC2086", "lint-suppression"),
        ("a.py", "y = f()  # type: ignore[arg-type]", "type-suppression"),
        ("a.ts", "// @ts-ignore", "type-suppression"),
        ("a.ts", "const a = b as any;", "type-suppression"),
        ("a.ts", "const a = b as unknown as C;", "type-suppression"),
        ("a_test.go", 't.Skip("flaky")', "skipped-test"),
        ("test_a.py", "@pytest.mark.skip(reason='slow')", "skipped-test"),
        ("test_a.py", "@pytest.mark.xfail", "skipped-test"),
        ("a.test.ts", "it.skip('works', () => {})", "skipped-test"),
        ("a.test.ts", "xit('works', () => {})", "skipped-test"),
        ("a.rs", "#[ignore]", "skipped-test"),
        ("ATest.java", "@Disabled", "skipped-test"),
        ("a.py", "# TODO: handle the empty file", "todo"),
        ("a.go", "// FIXME(sam): wrong for negative numbers", "todo"),
        ("a.ts", "  * HACK around the parser", "todo"),
        ("ci.yml", "        continue-on-error: true", "check-switched-off"),
        ("hook.sh", "git commit --no-verify -m x", "check-switched-off"),
    ],
)
def test_mark_added_to_code_fires(path: str, new: str, rule: str) -> None:
    assert added(path, f"x = 1\n{new}\n") == [f"A:{rule}"]


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("README.md", "<!-- TODO: write -->"),
        ("notes.txt", "# TODO later"),
        ("page.html", "<!-- TODO -->"),
        ("a.go", "ctx := context.TODO()"),
        ("a.go", "func WriteTemporary(todo TodoList) {}"),
        ("a.py", "todo = load_todos()  # the user's list"),
        ("a.ts", "const company = ask;"),
        ("a.py", "skip_header = True"),
        ("a.go", "if test.Skipped() {"),
    ],
)
def test_prose_and_names_that_look_like_marks_do_not_fire(path: str, new: str) -> None:
    assert added(path, f"x = 1\n{new}\n") == []


def test_mark_that_was_there_before_does_not_fire() -> None:
    line = "y = f()  # type: ignore\n"

    assert added("a.py", f"x = 2\n{line}", old=f"x = 1\n{line}") == []
    assert added("a.py", "y = g(2)  # type: ignore\n", old=line) == []


def test_second_mark_beside_the_first_fires() -> None:
    line = "y = f()  # type: ignore\n"

    assert added("a.py", line + "z = g()  # type: ignore\n", old=line) == ["A:type-suppression"]


def test_code_that_moves_to_another_file_takes_its_marks_along() -> None:
    session = Session().edit("a.py", "y = f()  # noqa: E501\n", "", "e1")
    session.edit("b.py", "import a\n", "import a\ny = f()  # noqa: E501\n", "e2")

    assert session.findings(DETECTOR) == []


def test_file_written_whole_is_compared_with_what_was_read() -> None:
    content = "# TODO: old one\nx = 1\n"
    session = Session().result("Read", "     1\t# TODO: old one\n     2\tx = 0", paths=("a.py",))

    assert session.write("a.py", content).findings(DETECTOR) == []


def test_new_file_with_a_mark_fires() -> None:
    assert rules(Session().write("a.py", "# TODO: all of it\n").findings(DETECTOR)) == ["A:todo"]


def test_edit_that_failed_or_was_refused_added_nothing() -> None:
    failed = Session().edit("a.py", "x", "x  # noqa").result("Edit", "not found", failed=True, call_id="e1")
    refused = Session().edit("a.py", "x", "x  # noqa").result("Edit", "no", denial=Denial.USER, call_id="e1")

    assert failed.findings(DETECTOR) == []
    assert refused.findings(DETECTOR) == []


PATCH = """*** Begin Patch
*** Update File: src/a.ts
@@
-const a = b;
+const a = b as any;
*** Update File: docs/a.md
+// TODO in prose
*** End Patch"""


@pytest.mark.parametrize(
    "session",
    [
        Session().call("apply_patch", "p1", input=PATCH),
        Session().call("apply_patch", "p1", patch=PATCH),
        Session().call("edit", "p1", path="src/a.ts", old_str="const a = b;", new_str="const a = b as any;"),
        Session().call("edit", "p1", path="src/a.ts", oldText="b;", newText="b as any;"),
        Session().call("edit", "p1", filePath="src/a.ts", oldString="b;", newString="b as any;"),
        Session().call("replace", "p1", file_path="src/a.ts", old_string="b;", new_string="b as any;"),
        Session().call(
            "MultiEdit", "p1", file_path="src/a.ts", edits=[{"old_string": "b", "new_string": "b as any"}]
        ),
        Session().call("create", "p1", path="src/a.ts", file_text="const a = b as any;"),
        Session().call("write_file", "p1", file_path="src/a.ts", content="const a = b as any;"),
    ],
)
def test_mark_is_found_in_the_edits_of_every_harness(session: Session) -> None:
    assert rules(session.findings(DETECTOR)) == ["A:type-suppression"]


def test_patch_given_as_plain_text_is_understood() -> None:
    from msgspec.structs import replace

    from jilog_review.transcript import raw_json

    session = Session().call("apply_patch", "p1")
    session.entries[0] = replace(session.entries[0], arguments=raw_json(PATCH))

    assert rules(session.findings(DETECTOR)) == ["A:type-suppression"]


def test_arguments_that_are_no_edit_are_passed_over() -> None:
    session = Session().call("Edit", "e1", file_path=7, new_string=["# noqa"]).call("Edit", "e2")

    assert session.findings(DETECTOR) == []


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        ("git commit --no-verify -m 'x'", "A:no-verify"),
        ("git add -A && git commit -m 'fix it' --no-verify", "A:no-verify"),
        ("git push --no-verify", "A:no-verify"),
        ("git -c core.hooksPath=/dev/null commit -m x", "A:no-verify"),
        ("HUSKY=0 git commit -m x", "A:hooks-off"),
        ("SKIP=mypy git commit -m x", "A:hooks-off"),
        ("chmod 777 build", "A:open-permissions"),
        ("chmod -R 777 /w/app", "A:open-permissions"),
        ("npm install --legacy-peer-deps", "A:forced-install"),
        ("pip install x --break-system-packages", "A:forced-install"),
        ("git push -f origin topic", "B:forced-push"),
        ("git push --force", "B:forced-push"),
        ("curl -k https://example.org", "B:insecure-transfer"),
    ],
)
def test_command_that_goes_around_a_check_fires(command: str, rule: str) -> None:
    session = Session().call("Bash", "c1", command=command)

    assert rules(session.findings(DETECTOR)) == [rule]


@pytest.mark.parametrize(
    "command",
    [
        "git commit -m 'explain why --no-verify is bad'",
        "git commit -m \"$(cat <<'EOF'\nuse --no-verify\nEOF\n)\"",
        "rg -n 'chmod 777' .",
        "git push --force-with-lease",
        "chmod 755 run.sh",
        "git commit -m message",
        "git commit --amend --no-edit",
        "npm install",
    ],
)
def test_command_that_only_speaks_of_it_does_not_fire(command: str) -> None:
    assert Session().call("Bash", "c1", command=command).findings(DETECTOR) == []


def test_finding_shows_the_line_and_the_mark() -> None:
    (found,) = Session().edit("/w/app/a.go", "x", "return nil //nolint:nilerr").findings(DETECTOR)

    assert found.excerpt == "a.go: return nil //nolint:nilerr"
    assert found.label == "//nolint"


def test_edits_read_before_are_not_judged_again() -> None:
    assert Session().edit("a.py", "x", "x  # noqa").findings(DETECTOR, new_from=1) == []
