"""Fixtures that tests of several folders use, and the rule for tests that are skipped."""

from __future__ import annotations

import os
import signal

from httpx2 import _config as http

from tests.registry import registry as registry
from tests.skips import pytest_runtest_makereport as pytest_runtest_makereport

# Who says nothing else waits 5 s for a server, which a busy computer may take to find the time.
http.DEFAULT_TIMEOUT_CONFIG.read = http.DEFAULT_TIMEOUT_CONFIG.write = 50.0

# A shell starts what it does not wait for with these ignored, `nohup` the last of them. Programs
# that tests start and interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
# Modes that tests give to files, and those of files that programs make, would be others.
os.umask(0o022)
