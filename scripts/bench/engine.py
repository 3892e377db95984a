"""The parent's side of a measurement: one engine in a process group of its own."""

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psutil

PATIENCE_S = 120.0  # for one answer; Keras's engine hangs for ever on a worker that dies


class Span(NamedTuple):
    """One measurement.

    Args:
        rate: Samples a second.
        cpu_s: Seconds of processor time for one sample, of all processes of the engine.
        memory_mb: Proportional share of memory (PSS) of all of them afterwards, in MB.
    """

    rate: float
    cpu_s: float
    memory_mb: float


class Failed(Exception):
    """The engine ended or said nothing; the message is its last line on stderr."""


class Engine:
    """A child that runs one engine on one work.

    Args:
        work: Its name.
        name: The engine's.
        source: Folder or URL of the data.
        workers: For engines that take them.
        log: File for what it writes to stderr, in a folder that its other files may go to.
    """

    def __init__(self, work: str, name: str, source: str, workers: int, log: Path) -> None:
        self.name, self._log = name, log
        words = [sys.executable, "-m", "scripts.bench.child", work, source, name, str(workers)]
        environment = {**os.environ, "TMPDIR": str(log.parent)}  # it is killed, and clears nothing
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                start_new_session=True,
                bufsize=0,
            )
        self._tree = psutil.Process(self._process.pid)

    def wait_ready(self) -> None:
        """Wait until its libraries are imported and its dataset is there."""
        while self._line() != "ready":
            continue

    def first_batch_s(self) -> float:
        """Start the engine; seconds until its first batch was there."""
        self._ask("go")
        return float(self._line())

    def measure(self, skip: int, seconds: float) -> Span:
        """Let `skip` batches pass, which may have waited in a queue, and measure the next."""
        before, began = self._cpu_s(), time.monotonic()
        self._ask(f"{skip} {seconds}")
        samples, span_s = map(float, self._line().split())
        used_s, took_s = self._cpu_s() - before, time.monotonic() - began
        # Processor time is known for the whole stretch, skipped batches among it.
        total = samples * took_s / span_s
        return Span(samples / span_s, used_s / total, self._memory_mb())

    def rest(self) -> None:
        """Wait until its queues are full and it takes no more processor time, 5 s at most."""
        for _ in range(100):
            before = self._cpu_s()
            time.sleep(0.05)
            if self._cpu_s() - before < 0.01:
                return

    def end(self) -> None:
        """Kill the group."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _ask(self, words: str) -> None:
        assert self._process.stdin
        try:
            self._process.stdin.write(f"{words}\n".encode())
        except BrokenPipeError:
            raise self._failure() from None

    def _line(self) -> str:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE_S)
        line = self._process.stdout.readline().decode() if ready else ""
        if not line:
            raise self._failure(not ready)
        return line.strip()

    def _failure(self, silent: bool = False) -> Failed:
        if silent:
            return Failed(f"no batch in {PATIENCE_S:g} s")
        lines = self._log.read_text(errors="replace").strip().splitlines() or ["it ended"]
        errors = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
        return Failed((errors or lines)[-1])

    def _family(self) -> list[psutil.Process]:
        return [self._tree, *self._tree.children(recursive=True)]

    def _cpu_s(self) -> float:
        total = 0.0
        for process in self._family():
            try:
                total += sum(process.cpu_times()[:4])  # with children that have ended
            except psutil.NoSuchProcess:
                continue
        return total

    def _memory_mb(self) -> float:
        total = 0
        for process in self._family():
            try:
                total += process.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
        return total / 2**20
