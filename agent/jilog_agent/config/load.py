"""Find the config file, read it, and let flags win over environment over file over default."""

from __future__ import annotations

import codecs
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from jilog_agent.config import sections
from jilog_agent.config.model import Config, ReviewConfig, Setting
from jilog_agent.config.nearest import did_you_mean
from jilog_agent.config.table import Table
from jilog_ledger.errors import InputError
from jilog_ledger.identifiers import check_name

CONFIG_BYTES_MAX = 1024 * 1024
"""A config file is written by hand; a larger one is another file by mistake."""


@dataclass(frozen=True, slots=True)
class ConfigSources:
    """What the settings are drawn from, besides the file: flags, environment, and the user's home."""

    environment: Mapping[str, str]
    user_home: Path
    config_flag: str | None = None
    home_flag: str | None = None

    def from_working_folder(self, path: str) -> Path:
        """Make a path absolute that flags or the environment gave; they speak of where the command runs.

        Raises:
            InputError: the path is relative, and the working folder is gone.
        """
        absolute = path.startswith(("/", "~/")) or path == "~"
        # Asked for only when needed: a command with absolute paths runs in a folder that was deleted, too.
        return sections.Expander(self.user_home, Path("/") if absolute else _working_folder()).path(path)

    @classmethod
    def of_process(cls, config_flag: str | None = None, home_flag: str | None = None) -> ConfigSources:
        """Take the environment of this process.

        Raises:
            InputError: ``HOME`` is empty or relative; Python would take the root folder for an empty one.
        """
        home = os.environ.get("HOME")
        if home is not None and not home.startswith("/"):
            raise InputError(
                f"HOME is {home[:80]!r}, which is no absolute path",
                hint="set it to your home folder, such as HOME=/home/me; or unset it",
            )
        return cls(os.environ, Path.home(), config_flag, home_flag)


@dataclass(frozen=True, slots=True)
class _Resolver:
    """Give each setting its value by precedence, and remember who said it."""

    sources: ConfigSources
    file: Path
    settings: list[Setting]

    def text(
        self, name: str, *, flag: tuple[str, str | None] | None, variable: str | None, in_file: str | None
    ) -> str | None:
        """Give the first of flag, environment and file that says anything."""
        for value, origin in (
            (flag[1] if flag else None, f"flag {flag[0]}" if flag else ""),
            (self.sources.environment.get(variable) or None if variable else None, f"env {variable}"),
            (in_file, f"file {self.file}"),
        ):
            if value is not None:
                self.settings.append(Setting(name, value, origin))
                return value
        return None

    def show(self, name: str, value: str) -> None:
        """Show a setting as it is used, with ``~`` and relative paths expanded; unsaid, it is the default."""
        for index, setting in enumerate(self.settings):
            if setting.name == name:
                self.settings[index] = Setting(name, value, setting.origin)
                return
        self.default(name, value)

    def default(self, name: str, value: str | int | bool | None) -> None:
        self.settings.append(Setting(name, value, "default"))

    def file_or_default(self, name: str, in_file: int | str | None, default: int | str | None) -> None:
        origin = "default" if in_file is None else f"file {self.file}"
        self.settings.append(Setting(name, default if in_file is None else in_file, origin))


def load_config(sources: ConfigSources) -> Config:
    """Read the configuration.

    Raises:
        InputError: the file is missing though it was named, is no TOML, or says something unknown.
    """
    path, origin = find_config_file(sources)
    settings = [Setting("config", str(path) if path else None, origin)]
    file = path or Path("no config file")
    top = Table(file, "top level", _read_toml(path) if path else {})
    resolver = _Resolver(sources, file, settings)
    # Without a file nothing is relative to it.
    expand = sections.Expander(sources.user_home, file.parent if path else sources.user_home)

    home_text = resolver.text("home", flag=("--home", sources.home_flag), variable="JILOG_HOME", in_file=None)
    # The variable and the flag speak of the directory they are used in, not of the config file's.
    home = sources.from_working_folder(home_text or "~/.jilog")
    resolver.show("home", str(home))
    source = _source(resolver, top)
    timezone = _timezone(resolver, top)
    digest_text = resolver.text(
        "digest_dir", flag=None, variable="JILOG_DIGEST_DIR", in_file=top.text("digest_dir")
    )
    if settings[-1].origin.startswith("env "):
        digest_dir = sources.from_working_folder(digest_text or "")
    else:
        digest_dir = expand.path(digest_text) if digest_text else home / "digests"
    resolver.show("digest_dir", str(digest_dir))
    config = Config(
        path=path,
        home=home,
        source=source,
        timezone=timezone,
        digest_dir=digest_dir,
        zones=sections.read_zones(top, home, expand),
        readers=sections.read_readers(top, expand),
        tracker=sections.read_tracker(top, expand),
        review=_review(resolver, top, expand),
        spool=sections.read_spool(top),
        trust=sections.read_trust(top, expand),
        agent=sections.read_agent(top, expand),
        page=sections.read_page(top),
        peers=sections.read_peers(top),
        settings=tuple(settings),
        directories=sections.read_directories(top, expand),
    )
    top.finish()
    return config


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError as exc:
        raise InputError(
            f"the working folder is gone: {exc.strerror}", hint="change to one that exists"
        ) from exc


def find_config_file(sources: ConfigSources) -> tuple[Path | None, str]:
    """Find the config file and say who named it; a file that was named must be there, the default need not.

    Raises:
        InputError: the named file does not exist.
    """
    variable = sources.environment.get("JILOG_CONFIG")
    for named, origin in ((sources.config_flag, "flag --config"), (variable, "env JILOG_CONFIG")):
        if named:
            path = sources.from_working_folder(named)
            if not path.exists():
                raise InputError(
                    f"config file {path} does not exist (from {origin})",
                    hint=f"create it: jilog init --config {path}",
                )
            return path, origin
    default = sources.user_home / ".jilog.toml"
    return (default if default.exists() else None), "default"


def _read_toml(path: Path) -> dict[str, object]:
    try:
        # Without waiting: a pipe by that name would keep every command waiting for somebody who writes.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(f"config {path} is no file", hint=f"look at it: ls -ld {path}")
            data = file.read(CONFIG_BYTES_MAX + 1)
    except OSError as exc:
        raise InputError(
            f"cannot read config {path}: {exc.strerror}", hint=f"look at it: ls -l {path}"
        ) from exc
    if len(data) > CONFIG_BYTES_MAX:
        raise InputError(
            f"config {path} is larger than {CONFIG_BYTES_MAX} bytes", hint="is this the right file?"
        )
    if data.startswith(codecs.BOM_UTF8) or data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise InputError(
            f"config {path} begins with a byte order mark", hint="save the file as UTF-8 without one (BOM)"
        )
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as exc:
        raise InputError(
            f"config {path} is not UTF-8 text at byte {exc.start}", hint="save the file as UTF-8"
        ) from exc
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise InputError(
            f"config {path} is not valid TOML: {_lower_first(str(exc))}",
            hint="text needs quotes, lists need brackets; see https://toml.io",
        ) from exc


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _source(resolver: _Resolver, top: Table) -> str | None:
    source = resolver.text("source", flag=None, variable="JILOG_SOURCE", in_file=top.text("source"))
    if source is None:
        resolver.default("source", None)
        return None
    return check_name("source", source)


def _timezone(resolver: _Resolver, top: Table) -> str | None:
    name = resolver.text("timezone", flag=None, variable="JILOG_TZ", in_file=top.text("timezone"))
    if name is None:
        resolver.default("timezone", None)
        return None
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        near = did_you_mean(name, available_timezones())
        hint = (
            f"use an IANA name such as 'Europe/Berlin'; {near}"
            if near
            else "use an IANA name such as 'Europe/Berlin'"
        )
        raise InputError(
            f"unknown timezone {name[:80]!r} (from {resolver.settings[-1].origin})", hint=hint
        ) from exc
    return name


def _review(resolver: _Resolver, top: Table, expand: sections.Expander) -> ReviewConfig:
    profile, days, coordinator, folders = sections.read_review(top, expand)
    default = ReviewConfig()
    resolver.file_or_default("review.profile", profile, default.profile)
    resolver.file_or_default("review.days", days, default.days)
    resolver.file_or_default("review.coordinator", coordinator, default.coordinator)
    shown = None if folders is None else ", ".join(map(str, folders))
    resolver.file_or_default("review.rule_folders", shown, None)
    return ReviewConfig(profile or default.profile, days or default.days, coordinator, folders or ())
