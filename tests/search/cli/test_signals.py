"""The first signal ends a search in order, the second at once."""

from __future__ import annotations

import os
import signal

import pytest

from search.cli.signals import StopOnSignal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_in_good_order_and_a_second_one_at_once(number: signal.Signals) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with StopOnSignal() as stop:
            assert signal.getsignal(number) == stop._note  # else the signal would end the tests
            os.kill(os.getpid(), number)
            assert stop.event.wait(5)
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_nohup_holds() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopOnSignal() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.event.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)
