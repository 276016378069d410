import os
import signal
import time

import pytest

from plugin.fork import ForkedProcess, fork
from tests.support.loopback import wait_for


def sleep():
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    time.sleep(60)
    return 0


def fail():
    raise ZeroDivisionError


@pytest.mark.parametrize(("main", "status"), [(lambda: 0, 0), (lambda: 7, 7), (fail, 1)])
def test_a_process_ends_with_what_its_function_returns(main, status):
    child = fork(main)
    assert child.wait(30) == status
    child.send_signal(signal.SIGKILL)  # to nobody
    assert child.poll() == status


def test_a_process_takes_signals_once_it_lets_them_through(capfd):
    child = fork(sleep)
    assert child.wait(0.1) is None
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == -signal.SIGTERM
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_forks_that_the_system_refuses_cost_nothing(monkeypatch):
    def refuse():
        raise OSError(11, "no process to spare")

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "fork", refuse)
    for _ in range(3):
        with pytest.raises(OSError, match="no process to spare"):
            fork(sleep)
    assert len(os.listdir("/proc/self/fd")) == before
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_process_whose_end_the_system_did_not_keep_has_ended():
    child = fork(lambda: 0)
    wait_for(lambda: os.waitpid(child.pid, os.WNOHANG)[0], what="somebody else hears of its end")
    assert ForkedProcess(pid=child.pid).poll() == 1
