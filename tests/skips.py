"""In CI no test is skipped for want of something: what it needs is installed there."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

#: The marks of tests that need more of the computer than Python.
_NEEDY = {"root", "crun", "browser", "postgresql"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that was skipped where it must not be."""
    report = yield
    needs = sorted(_NEEDY & {mark.name for mark in item.iter_markers()})
    expected = hasattr(report, "wasxfail")
    if report.skipped and needs and not expected and os.environ.get("CI") == "true":
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"a test that is marked {', '.join(needs)} is not skipped in CI: {why}"
    return report
