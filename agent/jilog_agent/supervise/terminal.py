"""Share the terminal with a child that runs in a process group of its own.

The child's group makes it possible to signal all that the task started. It also makes the child a background
job, which may not read from the terminal; so the terminal is handed over when, and only when, the child asks
for it (the kernel then stops it with SIGTTIN or SIGTTOU), as a job-control shell does.
"""

from __future__ import annotations

import contextlib
import os
import signal


class Terminal:
    """The controlling terminal, if there is one (POSIX.1-2017, section 11.1.4)."""

    def __init__(self) -> None:
        try:
            self._descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            self._descriptor = -1
        self._lent_to: int | None = None

    def close(self) -> None:
        """Take the terminal back and let go of it."""
        self.take_back()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def lend(self, group: int) -> bool:
        """Make ``group`` the foreground group if it is ours to give; tell whether that worked."""
        if not self._is_ours() and self._lent_to != group:
            return False
        if self._set_foreground(group):
            self._lent_to = group
            return True
        return False

    def take_back(self) -> int | None:
        """Become the foreground group again; give the group that had the terminal."""
        group, self._lent_to = self._lent_to, None
        if group is not None:
            self._set_foreground(os.getpgrp())
        return group

    def _is_ours(self) -> bool:
        with contextlib.suppress(OSError):
            return self._descriptor >= 0 and os.tcgetpgrp(self._descriptor) == os.getpgrp()
        return False

    def _set_foreground(self, group: int) -> bool:
        # A background process that calls tcsetpgrp is stopped by SIGTTOU unless it ignores it.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        try:
            os.tcsetpgrp(self._descriptor, group)
        except OSError:
            return False
        finally:
            signal.signal(signal.SIGTTOU, before)
        return True
