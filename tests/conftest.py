"""What holds for all tests: none of them asserts how long something takes, properties included."""

from __future__ import annotations

import signal

from hypothesis import settings

settings.register_profile("jilog", deadline=None)
settings.load_profile("jilog")

# A run that was started in the background may ignore these, every process it starts would do so as well, and
# the tests that interrupt commands would wait for ever.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)
