"""Runs one engine on one work in a process of its own: `python -m scripts.bench.child`.

Words: the work, the data's folder or URL, the engine, the number of workers. It says `ready` when
everything is imported, starts at the first line that comes in, and answers as `Meter` does.
"""

import os
import sys

from scripts.bench.engines.find import find
from scripts.bench.meter import Meter
from scripts.bench.works import WORKS


def main(name: str, source: str, engine: str, workers: str) -> None:
    """Serve until stdin ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    run = find(engine)
    work = WORKS[name]
    dataset = (work.plain if "plain" in engine and work.plain else work.make)(source)
    print("ready", file=out, flush=True)
    if not sys.stdin.readline():
        return  # the parent is gone
    meter = Meter(out)
    meter.begin()
    run(engine, work, dataset, int(workers), meter, source)


if __name__ == "__main__":
    main(*sys.argv[1:])
