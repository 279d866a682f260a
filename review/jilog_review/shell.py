"""Reading shell commands as far as the review needs it: which programs ran, and which one ended the command.

This is no shell: it cuts a command line at its unquoted operators and looks at the first words of each part.
What it cannot understand it passes over; nothing is ever run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from jilog_review import limits

_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_]\w{0,40})\1(.*?)^\s*\2\s*$", re.DOTALL | re.MULTILINE)
_OPEN_HEREDOC = re.compile(r"<<-?\s*['\"]?[A-Za-z_]\w{0,40}['\"]?[^\n]*\n.*\Z", re.DOTALL)
_SUBSTITUTION = re.compile(r"\$\([^()]{0,2000}\)|`[^`]{0,2000}`")
_TOKEN = re.compile(
    r"\$'(?:[^'\\]|\\.)*'|'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.|(?P<redirection>\d?>>?&?\s*[^\s;|&]*|<\s*[^\s;|&<]+)|(?P<operator>&&|\|\||\|&|[;|\n&])"
    r"|(?P<blank>[ \t\r()]+)|(?P<other>[^'\"\\;|\n& \t\r<>()]+|.)",
    re.DOTALL,
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*\+?=")
_SUBCOMMAND = re.compile(r"[a-z][a-z0-9:_-]{0,30}\Z")
_SHELLS = frozenset({"bash", "sh", "zsh", "dash"})
_SILENT = frozenset(
    [
        "cd",
        "export",
        "echo",
        "printf",
        "set",
        "unset",
        "source",
        ".",
        "true",
        ":",
        "pushd",
        "popd",
        "sleep",
        "local",
        "declare",
        "eval",
        "then",
        "do",
        "else",
        "fi",
        "done",
        "if",
        "while",
        "for",
        "in",
        "{",
        "}",
        "(",
        ")",
    ]
)
_WRAPPERS = frozenset(
    [
        "sudo",
        "env",
        "time",
        "nohup",
        "nice",
        "stdbuf",
        "command",
        "exec",
        "timeout",
        "gtimeout",
        "xargs",
        "caffeinate",
        "doas",
        "!",
    ]
)
_RUNNERS_OF = frozenset({"npx", "bunx", "uvx", "pipx"})
_RUN_WORDS = {
    "uv": frozenset({"run"}),
    "poetry": frozenset({"run"}),
    "pdm": frozenset({"run"}),
    "hatch": frozenset({"run"}),
    "bundle": frozenset({"exec"}),
    "pnpm": frozenset({"exec", "dlx"}),
    "yarn": frozenset({"exec", "dlx"}),
    "npm": frozenset({"exec"}),
    "mise": frozenset({"exec", "x"}),
    "nix": frozenset(),
}
_WITH_SUBCOMMANDS = {
    **dict.fromkeys(
        [
            "git",
            "go",
            "cargo",
            "npm",
            "pnpm",
            "yarn",
            "bun",
            "deno",
            "docker",
            "podman",
            "kubectl",
            "helm",
            "uv",
            "pip",
            "pip3",
            "poetry",
            "mise",
            "make",
            "just",
            "task",
            "brew",
            "apt",
            "apt-get",
            "systemctl",
            "terraform",
            "aws",
            "gcloud",
            "az",
            "dotnet",
            "mvn",
            "gradle",
            "flutter",
            "swift",
            "gem",
            "bundle",
            "conda",
            "jj",
            "hg",
            "rustup",
            "composer",
            "mix",
            "cmake",
            "bazel",
            "nx",
            "turbo",
        ],
        1,
    ),
    "gh": 2,
    "glab": 2,
}
_SCRIPT_RUNNERS = frozenset({"npm", "pnpm", "yarn", "bun"})
_VALUE_OPTIONS = frozenset(
    {"--extra", "--with", "--python", "--group", "--package", "--project", "--directory"}
)
_GIT_VALUE_OPTIONS = frozenset({"-C", "-c", "--git-dir", "--work-tree", "-R", "--repo", "--prefix", "--cwd"})


@dataclass(frozen=True, slots=True)
class Part:
    """One simple command: its words without assignments and wrappers, and the operator before it."""

    words: tuple[str, ...]
    operator: str

    @property
    def program(self) -> str:
        """The program's name without its folder; empty for an assignment alone."""
        return self.words[0].rsplit("/", 1)[-1] if self.words else ""

    @property
    def family(self) -> str:
        """The program with its subcommand: ``git push``, ``npm run lint``, ``python -m pytest``."""
        return _family(self.words)


@lru_cache(maxsize=512)
def parse_command(command: str) -> tuple[Part, ...]:
    """Cut a command line into its simple commands, those that cannot fail or say nothing left out."""
    parts = tuple(_parts(command[: limits.COMMAND_CHARS_MAX], depth=0))
    telling = tuple(part for part in parts if part.program not in _SILENT)
    return telling or parts


def last_parts(command: str) -> tuple[Part, ...]:
    """Give the parts whose exit status may be the command's: the last one and those joined to it by ``&&``.

    Of a pipe only the last part counts, as in a shell without ``pipefail``.
    """
    groups: list[list[Part]] = [[]]
    for part in parse_command(command):
        if part.operator in {";", "\n", "&"}:
            groups.append([])
        elif part.operator == "||":
            groups[-1] = []
        elif part.operator in {"|", "|&"} and groups[-1]:
            groups[-1].pop()
        groups[-1].append(part)
    return tuple(next((group for group in reversed(groups) if group), []))


def command_words(command: str) -> Iterator[str]:
    """Give each simple command and each assignment before one as a line of words.

    What was quoted and holds blanks is left out: a commit message that speaks of an option is not the option.
    """
    command = _HEREDOC.sub(" ", command[: limits.COMMAND_CHARS_MAX].replace("\\\n", " "))
    for words, _ in _split(_OPEN_HEREDOC.sub(" ", command)):
        plain = [word for word in words if not any(blank in word for blank in " \n\t")]
        yield from (word for word in plain if _ASSIGNMENT.match(word))
        bare = [word for word in _unwrap(plain) if word]
        if bare:
            yield " ".join(bare)


def command_family(command: str, message: str = "") -> str:
    """Name a command's kind: the part that a failure's message names, else the first that may have failed."""
    parts = last_parts(command)
    if not parts:
        return ""
    for part in parts:
        if part.program and message.startswith((f"{part.program}: ", f"{part.program}:")):
            return part.family
    return parts[0].family


def _parts(command: str, depth: int) -> Iterator[Part]:
    command = command.replace("\\\n", " ")
    command = _HEREDOC.sub(" ", command)
    command = _OPEN_HEREDOC.sub(" ", command)
    operator = ""
    for words, next_operator in _split(command):
        bare = _unwrap(words)
        inner = _inner_command(bare) if depth < 2 else None
        if inner is not None:
            yield from _parts(inner, depth + 1)
        elif bare:
            yield Part(tuple(bare), operator)
        operator = next_operator or operator


def _split(command: str) -> Iterator[tuple[list[str], str]]:
    """Give the words of each simple command and the operator after it; redirections are left out."""
    words: list[str] = []
    word = ""
    if "$(" in command or "`" in command:
        command = _SUBSTITUTION.sub("$_", command)
    for match in _TOKEN.finditer(command):
        if match["operator"] or match["blank"] or match["redirection"]:
            if word:
                words.append(word)
            word = ""
            if match["operator"]:
                yield words, match["operator"]
                words = []
        else:
            word += _unquoted(match[0])
    if word:
        words.append(word)
    yield words, ""


def _unquoted(token: str) -> str:
    if token.startswith("$'") and len(token) > 2:
        return token[2:-1]
    if len(token) >= 2 and token[0] == token[-1] and token[0] in "'\"":
        return token[1:-1]
    return token[1:] if token[0] == "\\" else token


def _unwrap(words: list[str]) -> list[str]:
    """Take away assignments, ``sudo``, ``timeout 30``, ``uv run`` and their like."""
    position = 0
    while position < len(words):
        word = words[position].lstrip("(")
        name = word.rsplit("/", 1)[-1]
        if _ASSIGNMENT.match(word) or word in {"", "{", "then", "do", "else", "if", "while"}:
            position += 1
        elif name in _WRAPPERS or name in _RUNNERS_OF:
            position = _past_options(words, position + 1, numbers=True)
        elif position + 1 < len(words) and words[position + 1] in _RUN_WORDS.get(name, ()):
            position = _past_options(words, position + 2, numbers=False)
        else:
            return [word, *words[position + 1 :]]
    return []


def _past_options(words: list[str], position: int, *, numbers: bool) -> int:
    while position < len(words):
        word = words[position]
        if not word.startswith("-") and not (numbers and word[:1].isdecimal()):
            break
        position += 2 if word in _VALUE_OPTIONS else 1
    return position


def _inner_command(words: list[str]) -> str | None:
    """Give the command that a shell is asked to run: ``bash -lc '…'``."""
    if len(words) < 3 or words[0].rsplit("/", 1)[-1] not in _SHELLS:
        return None
    if re.fullmatch(r"-[a-z]*c", words[1]):
        return words[2]
    return None


@lru_cache(maxsize=4096)
def _family(words: tuple[str, ...]) -> str:
    program = words[0].rsplit("/", 1)[-1] if words else ""
    if program.startswith("python"):
        return f"python -m {words[2]}" if len(words) > 2 and words[1] == "-m" else "python"
    depth = _WITH_SUBCOMMANDS.get(program, 0)
    names = [program]
    position = 1
    while position < len(words) and len(names) <= depth:
        word = words[position]
        if word in _GIT_VALUE_OPTIONS:
            position += 2
            continue
        position += 1
        if word.startswith("-"):
            continue
        if not _SUBCOMMAND.match(word):
            break
        names.append(word)
        if program in {*_SCRIPT_RUNNERS, "mise"} and word == "run":
            depth = 2
    return " ".join(names)
