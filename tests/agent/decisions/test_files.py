"""File references: what a typed path means, from wherever it is typed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jilog_agent.decisions.place import Standpoint, shown_path
from jilog_agent.decisions.repository import find_repository, repository_name
from jilog_agent.decisions.select import about_files
from jilog_agent.decisions.zones import OpenZone
from jilog_ledger.decision import FileRef
from jilog_ledger.errors import InputError
from support.decision_zone import open_zone, titles, write


def repository(root: Path, remote: str | None = None) -> Path:
    """Lay a repository out as git does, without running it."""
    (root / ".git").mkdir(parents=True)
    config = "[core]\n\tbare = false\n"
    if remote:
        config += '[remote "upstream"]\n\turl = https://elsewhere.example/x/y\n'
        config += f'[remote "origin"]\n\turl = {remote}\n'
    (root / ".git" / "config").write_text(config)
    (root / "src" / "deep").mkdir(parents=True)
    return root


def write_at(zone: OpenZone, title: str, standpoint: Standpoint, *paths: str) -> None:
    """Write an entry about paths as they are typed at a standpoint."""
    from dataclasses import replace

    import msgspec

    from jilog_agent.decisions.record import write_entry
    from support.decision_zone import proposal
    from support.stores import Clock

    plain = proposal(title)
    refs = tuple(standpoint.ref(path) for path in paths)
    write_entry(zone, replace(plain, decision=msgspec.structs.replace(plain.decision, files=refs)), Clock())
    zone.apply()


def blame(zone: OpenZone, standpoint: Standpoint, path: str) -> list[str]:
    return titles(about_files([zone], standpoint.scope(path)))


@pytest.mark.parametrize("remote", [None, "git@github.com:acme/app.git"])
def test_af22_relative_absolute_subfolder_and_folder_forms_all_hit(
    tmp_path: Path, remote: str | None
) -> None:
    root = repository(tmp_path / "app", remote)
    at_root, below = Standpoint.of("alpha", root), Standpoint.of("alpha", root / "src" / "deep")
    with open_zone(tmp_path / "zone") as zone:
        write_at(zone, "from the root", at_root, "src/deep/a.py")
        write_at(zone, "from below", below, "a.py")
        write_at(zone, "absolute", below, str(root / "src" / "deep" / "a.py"))
        write_at(zone, "another file", at_root, "src/b.py")

        every = ["absolute", "from below", "from the root"]
        for standpoint, path in (
            (at_root, "src/deep/a.py"),
            (at_root, "./src/../src/deep/a.py"),
            (below, "a.py"),
            (below, "../deep/a.py"),
            (below, str(root / "src/deep/a.py")),
            (at_root, "src/deep"),
            (at_root, "src/deep/"),
            (below, "."),
        ):
            assert blame(zone, standpoint, path) == every, path
        for standpoint, path in ((at_root, "src"), (at_root, "."), (below, "../.."), (below, str(root))):
            assert blame(zone, standpoint, path) == ["another file", *every], path


def test_af22_two_repositories_with_one_file_name_do_not_collide(tmp_path: Path) -> None:
    one = Standpoint.of("alpha", repository(tmp_path / "one"))
    two = Standpoint.of("alpha", repository(tmp_path / "two", "https://github.com/acme/two"))
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    loose = Standpoint.of("alpha", nowhere)
    with open_zone(tmp_path / "zone") as zone:
        for title, standpoint in (("one", one), ("two", two), ("loose", loose)):
            write_at(zone, title, standpoint, "README.md")

        assert blame(zone, one, "README.md") == ["one"]
        assert blame(zone, two, "README.md") == ["two"]
        assert blame(zone, loose, "README.md") == ["loose"]
        assert blame(zone, one, str(nowhere / "README.md")) == ["loose"]


def test_clones_of_one_remote_on_two_hosts_are_one_repository(tmp_path: Path) -> None:
    here = Standpoint.of("alpha", repository(tmp_path / "here", "git@github.com:acme/app.git"))
    there = Standpoint.of("beta", repository(tmp_path / "there", "https://user:pw@GitHub.com/acme/app"))
    with open_zone(tmp_path / "zone") as zone:
        write_at(zone, "there", there, "src/a.py")

        assert blame(zone, here, "src/a.py") == ["there"]


def test_the_same_path_without_a_repository_on_another_host_is_another_file(tmp_path: Path) -> None:
    with open_zone(tmp_path / "zone") as zone:
        write_at(zone, "there", Standpoint.of("beta", tmp_path), "/etc/hosts")

        assert blame(zone, Standpoint.of("alpha", tmp_path), "/etc/hosts") == []
        assert blame(zone, Standpoint.of("beta", tmp_path), "/etc/hosts") == ["there"]


def test_entry_written_before_the_repository_or_its_remote_was_there_is_still_found(tmp_path: Path) -> None:
    root = tmp_path / "app"
    root.mkdir()
    with open_zone(tmp_path / "zone") as zone:
        write_at(zone, "no repository yet", Standpoint.of("alpha", root), "a.py")
        repository(root)
        write_at(zone, "no remote yet", Standpoint.of("alpha", root), "a.py")
        (root / ".git" / "config").write_text(
            '[remote "origin"]\nurl = ssh://git@github.com:22/acme/app.git\n'
        )
        write_at(zone, "with a remote", Standpoint.of("alpha", root), "a.py")

        found = blame(zone, Standpoint.of("alpha", root), "a.py")

    assert found == ["with a remote", "no remote yet", "no repository yet"]


def test_reference_of_an_unknown_repository_matches_what_is_typed(tmp_path: Path) -> None:
    root = repository(tmp_path / "app")
    with open_zone(tmp_path / "zone") as zone:
        write(zone, "imported", files=("src/a.py",), repository="")

        assert blame(zone, Standpoint.of("alpha", root), "src/a.py") == ["imported"]
        assert blame(zone, Standpoint.of("alpha", root / "src"), "a.py") == ["imported"]
        assert blame(zone, Standpoint.of("alpha", root), "b.py") == []


@pytest.mark.parametrize(
    "name", ["a,b.py", "a\nb.py", "naïve ünïcode.py", "-dash.py", "a*[b].py", "caf\udce9.py"]
)
def test_names_with_commas_newlines_and_other_bytes_are_found(tmp_path: Path, name: str) -> None:
    root = repository(tmp_path / "app")
    (root / "src" / name).write_text("")
    standpoint = Standpoint.of("alpha", root)
    with open_zone(tmp_path / "zone") as zone:
        write_at(zone, "odd name", standpoint, f"src/{name}")

        assert blame(zone, Standpoint.of("alpha", root / "src"), name) == ["odd name"]
        assert blame(zone, standpoint, "src/other.py") == []


def test_symbolic_links_to_folders_are_followed_and_a_link_itself_is_a_file(tmp_path: Path) -> None:
    root = repository(tmp_path / "app")
    (tmp_path / "alias").symlink_to(root)
    (root / "link.py").symlink_to(root / "src" / "a.py")
    standpoint = Standpoint.of("alpha", tmp_path / "alias")

    assert standpoint.ref("src/a.py") == Standpoint.of("alpha", root).ref("src/a.py")
    assert standpoint.ref("link.py").path == "link.py"


@pytest.mark.parametrize("text", ["", "a\0b"])
def test_path_that_no_file_can_have_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="invalid path"):
        Standpoint.of("alpha", tmp_path).ref(text)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/acme/app.git", "github.com/acme/app"),
        ("https://user:token@GitHub.com/acme/app/", "github.com/acme/app"),
        ("https://example.org:8443/acme/app?x=1", "example.org/acme/app"),
        ("git@github.com:acme/app.git", "github.com/acme/app"),
        ("github.com:acme/app", "github.com/acme/app"),
        ("ssh://git@github.com:22/acme/app.git", "github.com/acme/app"),
        ("git://example.org/app", "example.org/app"),
        ("/srv/git/app.git", "alpha:/srv/git/app.git"),
        ("file:///srv/git/app", "alpha:/srv/git/app"),
        ("/srv/app/.git", "alpha:/srv/app"),
        ("../other", "alpha:/x/other"),
    ],
)
def test_repository_is_named_by_its_remote_without_secrets(url: str, name: str) -> None:
    assert repository_name(url, Path("/x/app"), "alpha") == name


def test_submodules_linked_trees_and_jj_folders_are_understood(tmp_path: Path) -> None:
    main = repository(tmp_path / "main", "https://github.com/acme/main")
    module = main / "vendor" / "module"
    module.mkdir(parents=True)
    store = main / ".git" / "modules" / "module"
    store.mkdir(parents=True)
    (store / "config").write_text('[remote "origin"]\n\turl = https://github.com/acme/module\n')
    (module / ".git").write_text("gitdir: ../../.git/modules/module\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    link = main / ".git" / "worktrees" / "tree"
    link.mkdir(parents=True)
    (link / "commondir").write_text("../..\n")
    (tree / ".git").write_text(f"gitdir: {link}\n")
    jj = tmp_path / "jj"
    (jj / ".jj" / "repo" / "store").mkdir(parents=True)
    (jj / ".jj" / "repo" / "store" / "git_target").write_text("git")
    (jj / ".jj" / "repo" / "store" / "git").mkdir()
    (jj / ".jj" / "repo" / "store" / "git" / "config").write_text(
        '[remote "origin"]\n\turl = https://github.com/acme/jj\n'
    )

    def name(folder: Path) -> str:
        found = find_repository(folder, "alpha")
        assert found is not None
        return found.names[0]

    assert name(module) == "github.com/acme/module"
    assert name(tree) == name(main) == "github.com/acme/main"
    assert name(jj) == "github.com/acme/jj"
    assert Standpoint.of("alpha", tree).ref("src/a.py") == Standpoint.of("alpha", main).ref("src/a.py")


def test_linked_tree_of_a_repository_without_remote_counts_as_the_one_it_was_made_from(
    tmp_path: Path,
) -> None:
    main = repository(tmp_path / "main")
    link = main / ".git" / "worktrees" / "tree"
    link.mkdir(parents=True)
    (link / "commondir").write_text("../..\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {link}\n")

    assert Standpoint.of("alpha", tree).ref("src/a.py") == FileRef(f"alpha:{main}", "src/a.py")


@pytest.mark.parametrize("content", ["", "gitdir:", "gitdir: /nowhere/at/all", "\x00\xff", "nonsense"])
def test_broken_git_file_still_marks_a_root(tmp_path: Path, content: str) -> None:
    (tmp_path / ".git").write_text(content)

    found = find_repository(tmp_path, "alpha")

    assert found is not None
    assert found.names[-1] == f"alpha:{tmp_path}"


def test_real_git_clone_is_named_as_its_origin(tmp_path: Path) -> None:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for command in (["git", "init", "-q", "origin"], ["git", "clone", "-q", "origin", "copy"]):
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=60)

    copy = Standpoint.of("alpha", tmp_path / "copy")

    assert copy.ref("README.md") == Standpoint.of("alpha", tmp_path / "origin").ref("README.md")


def test_paths_are_shown_as_people_write_them() -> None:
    assert shown_path(FileRef("github.com/acme/app", "src/a.py")) == "src/a.py"
    assert shown_path(FileRef("alpha:/", "etc/hosts")) == "/etc/hosts"
    assert shown_path(FileRef("alpha:/srv/app", "")) == "."


def test_folder_that_may_not_be_looked_into_has_no_repository_and_no_error() -> None:
    # What the system refuses to look at, whoever asks: a name longer than it allows.
    folder = Path("/") / ("x" * 300)

    found = find_repository(folder, "alpha")

    assert found is None
