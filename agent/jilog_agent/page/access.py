"""Who may see the page: a browser that once brought the token, at an address that is this page's own."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

from jilog_agent.home import Home
from jilog_ledger.disk import Disk

TOKEN_BYTES = 32
_NAME = "page-token"


def load_token(home: Home, disk: Disk) -> str:
    """Give this home's token; it is made when there is none.

    The file is 0600. Deleting it shuts every browser out at the agent's next start.

    Raises:
        StorageError: it can be neither read nor written.
    """
    path = home.agent_dir / _NAME
    if disk.size(path):
        return disk.read(path).decode("ascii", "replace").strip()
    token = secrets.token_urlsafe(TOKEN_BYTES)
    disk.make_directory(home.agent_dir)
    # A crash before this leaves no file, and the next call makes another token.
    disk.replace(path, token.encode() + b"\n")
    return token


@dataclass(frozen=True, slots=True)
class Access:
    """The checks of one page at one port. Cookie and form key are made of the token, and do not tell it."""

    token: str
    port: int

    @property
    def cookie_name(self) -> str:
        """The cookie's name; cookies do not tell ports apart, and a machine may have several agents."""
        return f"jilog_page_{self.port}"

    @property
    def cookie(self) -> str:
        """What a browser that was let in sends with each request."""
        return self._derived("cookie")

    @property
    def form_key(self) -> str:
        """What every form carries: a page of another site cannot know it."""
        return self._derived("form")

    def host_allowed(self, host: str) -> bool:
        """Tell whether a request's Host is this page: a name that was rebound to loopback is not."""
        return host in {f"{name}:{self.port}" for name in ("127.0.0.1", "localhost", "[::1]")}

    def token_right(self, given: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def cookie_right(self, given: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(given.encode(), self.cookie.encode())

    def form_key_right(self, given: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(given.encode(), self.form_key.encode())

    def _derived(self, purpose: str) -> str:
        return hmac.new(self.token.encode(), purpose.encode(), hashlib.sha256).hexdigest()
