"""Fixtures that tests of several folders use, and the rule for tests that are skipped."""

from __future__ import annotations

from tests.registry import registry as registry
from tests.skips import pytest_runtest_makereport as pytest_runtest_makereport
