"""The one place that turns a failure into lines on stderr and an exit status."""

from __future__ import annotations

import errno
import os
import sys

import click

from jilog_agent.cli.lazy import UnknownName
from jilog_agent.cli.root import execute
from jilog_ledger.errors import JilogError, StorageError

INTERRUPTED = 130
CLOSED_PIPE = 141
DEBUG_VARIABLE = "JILOG_DEBUG"
_OUTPUT_FAILURES = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EBADF)


def run_reported(arguments: list[str]) -> int:
    """Run one command line, tell about its failure if there is one, and give the exit status."""
    try:
        status = _run(arguments)
        _flush_stdout()
    except BrokenPipeError:
        _drop_stdout()
        return CLOSED_PIPE
    except JilogError as error:
        report(error)
        return error.exit_code
    return status


def _run(arguments: list[str]) -> int:
    try:
        execute(arguments)
    except BrokenPipeError:
        raise
    except (KeyboardInterrupt, click.Abort):
        _write_stderr("jilog: interrupted\n")
        return INTERRUPTED
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        # A group typed alone wants its help; it goes to stderr because nothing was asked for.
        _write_stderr(error.format_message() + "\n")
        return error.exit_code
    except click.ClickException as error:
        _report_usage(error)
        return error.exit_code
    except JilogError as error:
        report(error)
        return error.exit_code
    except Exception as error:
        if isinstance(error, OSError) and _is_stdout_failure(error):
            _drop_stdout()
            raise StorageError(f"cannot write the output: {error.strerror}") from error
        return _report_bug(error)
    return 0


def report(error: JilogError) -> None:
    """Write an error and its hint."""
    _show_traceback(error)
    _write_stderr(f"{_label('error')} {error.message}\n")
    if error.hint:
        _write_stderr(f"{_label('hint')} {error.hint}\n")


def warn(message: str, hint: str | None = None) -> None:
    """Write a warning: the command goes on."""
    _write_stderr(f"{_label('warning')} {message}\n")
    if hint:
        _write_stderr(f"{_label('hint')} {hint}\n")


def note(message: str) -> None:
    """Write something that is worth knowing and no failure."""
    _write_stderr(f"jilog: {message}\n")


def _report_usage(error: click.ClickException) -> None:
    _write_stderr(f"{_label('error')} {_lower_first(error.format_message())}\n")
    hint = _usage_hint(error)
    if hint:
        _write_stderr(f"{_label('hint')} {hint}\n")


def _lower_first(message: str) -> str:
    """Bring click's messages into our form: one line, lower case, no full stop, no suggestion inside."""
    text = " ".join(message.split())
    for suggestion in (" Did you mean", " (Did you mean", " (Possible options"):
        text = text.partition(suggestion)[0]
    text = text.rstrip(".")
    return text[:1].lower() + text[1:]


def _usage_hint(error: click.ClickException) -> str | None:
    if isinstance(error, UnknownName):
        return error.hint
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        return f"did you mean {error.possibilities[0]!r}?"
    context = getattr(error, "ctx", None)
    return f"see: {context.command_path} --help" if context else None


def _report_bug(error: Exception) -> int:
    _show_traceback(error)
    _write_stderr(f"{_label('error')} internal error: {type(error).__name__}: {error}\n")
    if not _debugging():
        _write_stderr(
            f"{_label('hint')} this is a bug in jilog: run the command again with {DEBUG_VARIABLE}=1"
            " and report what it prints\n"
        )
    return 1


def _show_traceback(error: BaseException) -> None:
    if _debugging():
        import traceback

        _write_stderr("".join(traceback.format_exception(error)))


def _debugging() -> bool:
    return os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


def _label(kind: str) -> str:
    text = f"jilog: {kind}:"
    if os.environ.get("NO_COLOR") or sys.stderr is None or not sys.stderr.isatty():
        return text
    return click.style(text, fg={"error": "red", "warning": "yellow", "hint": "cyan"}[kind])


def _write_stderr(text: str) -> None:
    """Write to stderr if anybody is there to read it."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        # stderr is closed or full: the exit status is all that is left to say it with.
        return


def _is_stdout_failure(error: OSError) -> bool:
    return error.filename is None and error.errno in _OUTPUT_FAILURES


def _flush_stdout() -> None:
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        _drop_stdout()
        raise StorageError(f"cannot write the output: {exc.strerror}") from exc


def _drop_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush has nobody to complain to."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):
        return
    finally:
        os.close(null)
