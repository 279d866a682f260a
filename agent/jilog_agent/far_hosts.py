"""The other hosts whose transcripts are read over SSH, with the settings that peers are reached with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from jilog_agent.far_files import Mirror
from jilog_agent.workspace import Workspace

if TYPE_CHECKING:
    from jilog_spool.ssh_files import SshFiles


@dataclass(slots=True)
class FarHosts:
    """Gives each host's files; connections are opened when something is read, and closed at the end."""

    workspace: Workspace
    _opened: list[SshFiles] = field(default_factory=list)

    def files(self, name: str) -> Mirror:
        """Give the files of a peer, or of a host of ``~/.ssh/config``.

        Raises:
            InputError: nobody knows the name.
        """
        # Imported here: asyncssh is only loaded where another host is configured.
        from jilog_agent.replication import SSH_CONFIG, peer_table
        from jilog_agent.syncing import ssh_settings
        from jilog_spool.peers import read_ssh_config_hosts
        from jilog_spool.ssh_files import SshFiles

        config, home = self.workspace.config, self.workspace.home
        known = peer_table(config, home, self.workspace.disk)
        peer = known.resolve(name, read_ssh_config_hosts(SSH_CONFIG.expanduser()))
        files = SshFiles(peer, ssh_settings(self.workspace))
        self._opened.append(files)
        return Mirror(name, files, home.review_dir / "mirror" / name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._opened:
            self._opened.pop().close()
