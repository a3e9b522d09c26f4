"""Fixtures that tests of several folders use."""

from __future__ import annotations

from tests.registry import registry as registry
