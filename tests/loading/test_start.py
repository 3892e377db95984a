import multiprocessing
import signal

import pytest

from reprise.loading.start import interrupts_held, start_context


@pytest.mark.parametrize(
    ("chosen", "used"), [(None, "forkserver"), ("fork", "forkserver"), ("spawn", "spawn")]
)
def test_processes_never_come_from_a_fork(chosen: str | None, used: str) -> None:
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method(chosen, force=True)
    try:
        assert start_context().get_start_method() == used
    finally:
        multiprocessing.set_start_method(before, force=True)


def test_interrupts_are_held_and_let_go_again() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.SIGINT not in before
    with interrupts_held():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
