"""Measures all engines of one work in turns, so that a slow minute hits them all."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from scripts.bench.engine import Engine, Failed, Span
from scripts.bench.server import filled_server
from scripts.bench.works import WORKS, Work

QUEUED = 14  # batches that may wait in the deepest queue: 8, and some in each worker's hands


@dataclass
class Result:
    """What was measured of one engine on one work.

    Args:
        first_batch_s: From the engine's start, imports apart, to its first batch.
        spans: One for each repeat.
        failure: Why there are none.
    """

    first_batch_s: float = 0.0
    spans: list[Span] = field(default_factory=list)
    failure: str = ""

    @property
    def rate(self) -> float:
        """Samples a second, the median."""
        return statistics.median(span.rate for span in self.spans)

    @property
    def cpu_s(self) -> float:
        """Processor seconds for a sample, the median."""
        return statistics.median(span.cpu_s for span in self.spans)

    @property
    def memory_mb(self) -> float:
        """The most memory seen."""
        return max(span.memory_mb for span in self.spans)


def measure(
    name: str, names: Sequence[str], count: int, workers: int, repeats: int, seconds: float
) -> dict[str, Result]:
    """Measure these engines on this work.

    Args:
        name: Of the work.
        names: Of the engines.
        count: Size of the data.
        workers: For engines that take them.
        repeats: Rounds; each measures every engine once.
        seconds: Length of one measurement.
    """
    results = {engine: Result() for engine in names}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(TemporaryDirectory(prefix="reprise-bench-")))
        source = stack.enter_context(data_of(WORKS[name], scratch, count))
        engines = {}
        for number, engine in enumerate(names):
            log = scratch / f"{number}.log"
            engines[engine] = Engine(name, engine, source, workers, log)
            stack.callback(engines[engine].end)
        _run(engines, results, repeats, seconds)
    return results


def _run(
    engines: dict[str, Engine], results: dict[str, Result], repeats: int, seconds: float
) -> None:
    def each(step: Callable[[Engine, Result], None]) -> None:
        for name, engine in engines.items():
            if not results[name].failure:
                try:
                    step(engine, results[name])
                except Failed as failure:
                    results[name] = Result(failure=str(failure))

    def begin(engine: Engine, result: Result) -> None:
        result.first_batch_s = engine.first_batch_s()
        engine.rest()

    def once(engine: Engine, result: Result) -> None:
        result.spans.append(engine.measure(_queued(engine.name), seconds))
        engine.rest()

    each(lambda engine, _: engine.wait_ready())
    each(begin)
    for _ in range(repeats):
        each(once)


def _queued(engine: str) -> int:
    """Batches that may wait in its queue."""
    return 1 if engine.startswith(("seed", "limit", "received")) else QUEUED


@contextmanager
def data_of(work: Work, scratch: Path, count: int) -> Iterator[str]:
    """The work's data while it is measured: a folder, or the URL of a server."""
    if work.cells:
        with filled_server(count, *work.cells) as url:
            yield url
    else:
        work.write(scratch / "data", count)
        yield str(scratch / "data")
