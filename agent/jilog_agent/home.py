"""The directory that holds a host's state: ``~/.jilog`` or ``$JILOG_HOME``.

::

    lock                      held while the home is being made
    identity/id_ed25519       the host's key, mode 0600: signs segments, and is its SSH identity
    identity/id_ed25519.next  the key that is to follow it, between `identity prepare` and `identity renew`
    identity/id_ed25519-cert.pub       its certificate for logging in to peers, if a fleet has an authority
    identity/id_ed25519-host-cert.pub  its certificate as a host that others call
    identity/id_ed25519.pub   the same key's public line, for authorized_keys
    identity/identity.json    the source name that this host writes under
    zones/<id>/               one ledger each, unless the config puts it elsewhere
    digests/                  what the nightly review wrote, unless the config says otherwise
    review/                   how far each transcript was read
    spool/                    how the last sync with each peer went, and what is paused
    agent/                    the agent process: its lock, pid, log, and how far scrub and review came
    agent.sock                the socket it answers on
    hooks/                    what hooks told each agent session, and their log; it may be lost
    peers.toml                the peers added by command
    authorities               the authorities whose certificates are trusted, and for which names
    known_hosts               host keys that jilog itself learnt
    directory_hosts           hosts that are trusted in spool directories only

Directories are 0700 and files 0600: the ledger tells what its owner does all day.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """Names every path below the home."""

    root: Path

    @property
    def lock_path(self) -> Path:
        """Locked by whoever makes or changes the identity."""
        return self.root / "lock"

    @property
    def identity_dir(self) -> Path:
        """Key and source name."""
        return self.root / "identity"

    @property
    def key_path(self) -> Path:
        """The private key, in OpenSSH's format."""
        return self.identity_dir / "id_ed25519"

    @property
    def next_key_path(self) -> Path:
        """The private key that is to replace the current one, once every peer knows it."""
        return self.identity_dir / "id_ed25519.next"

    @property
    def public_key_path(self) -> Path:
        """The public key as one line of authorized_keys."""
        return self.identity_dir / "id_ed25519.pub"

    @property
    def identity_path(self) -> Path:
        """The source name, as JSON. It is written last, so that its presence means a whole identity."""
        return self.identity_dir / "identity.json"

    @property
    def known_hosts_path(self) -> Path:
        """Host keys that jilog itself learnt, in OpenSSH's format."""
        return self.root / "known_hosts"

    @property
    def authorities_path(self) -> Path:
        """The authorities that `jilog peer trust --ca` added, in the format of known_hosts."""
        return self.root / "authorities"

    @property
    def sync_history_path(self) -> Path:
        """The last sync with each peer; it may be deleted at any time."""
        return self.root / "spool" / "history.json"

    @property
    def directories_path(self) -> Path:
        """The last pass over each spool directory; it may be deleted at any time."""
        return self.root / "spool" / "directories.json"

    @property
    def directory_hosts_path(self) -> Path:
        """Hosts that are trusted in spool directories, one line each."""
        return self.root / "directory_hosts"

    @property
    def pauses_path(self) -> Path:
        """With whom replication is paused; losing it loses pauses, never events."""
        return self.root / "spool" / "pauses.json"

    @property
    def review_dir(self) -> Path:
        """What the nightly review keeps between nights."""
        return self.root / "review"

    @property
    def review_lock_path(self) -> Path:
        """Held for as long as a review runs."""
        return self.review_dir / "lock"

    def billed_path(self, zone: str) -> Path:
        """Which responses the spend of earlier reviews of a zone counted; it may be lost at any time."""
        return self.review_dir / f"billed-{zone}.bin"

    def cursors_path(self, zone: str) -> Path:
        """How far each transcript was read for a zone's ledger; it may be deleted at any time."""
        return self.review_dir / f"cursors-{zone}.json"

    @property
    def agent_dir(self) -> Path:
        """What the agent process keeps; it may be deleted while no agent runs."""
        return self.root / "agent"

    @property
    def hooks_dir(self) -> Path:
        """What hooks told agent sessions and recorded of them; what is lost is told once more."""
        return self.root / "hooks"

    @property
    def agent_lock_path(self) -> Path:
        """Locked for as long as an agent lives."""
        return self.agent_dir / "lock"

    @property
    def agent_pid_path(self) -> Path:
        """The agent's process id, for people."""
        return self.agent_dir / "pid"

    @property
    def agent_log_path(self) -> Path:
        """The log of an agent that was started in the background."""
        return self.agent_dir / "agent.log"

    @property
    def agent_state_path(self) -> Path:
        """When the agent reviewed last, and how far its scrub came; it may be lost at any time."""
        return self.agent_dir / "state.json"

    def initialised(self) -> bool:
        """Tell whether this home has an identity."""
        return self.identity_path.exists()
