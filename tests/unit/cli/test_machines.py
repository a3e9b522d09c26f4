from __future__ import annotations

import sys
from signal import Signals

import pytest

from ephemera.cli import machines
from ephemera.platform.signals import ANY_SIGNALS


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other numbers")
def test_a_signal_that_can_be_sent_can_be_given_by_its_number() -> None:
    assert {str(Signals[name].value): name for name in ANY_SIGNALS} == machines._SIGNALS
