"""This project's loader, and the limit: one core that only reads."""

from tempfile import mkdtemp
from typing import Any

from reprise.loading.loader import Loader
from reprise.loading.order import Order
from reprise.loading.worker import assemble, limit_to_one_thread, set_up_process
from scripts.bench.meter import Meter
from scripts.bench.works import Work


def run(engine: str, work: Work, dataset: Any, workers: int, meter: Meter, source: str) -> None:
    """Hand batches to the meter without end."""
    if engine == "limit":
        read_only(work, dataset, meter)
    cache = None
    if "cached" in engine:
        cache = mkdtemp()
        fill(work, dataset, cache)
        meter.begin()
    with make_loader(engine, work, dataset, workers, cache) as loader:
        for x, _ in loader.batches():
            meter.batch(len(x), x)


def make_loader(
    engine: str, work: Work, dataset: Any, workers: int, cache: str | None = None
) -> Loader:
    """The loader that the engine's name describes: threads, no workers, block, cached."""
    settings: dict[str, Any] = {"workers": workers}
    if "no workers" in engine:
        settings["workers"] = 0
    if "cached" in engine:
        settings["cache"] = cache
    if work.limit is None or "cached" in engine:
        settings["workers"] = None  # left to the loader, which knows when workers only cost
    settings["use_multiprocessing"] = "threads" not in engine
    settings["order"] = "block" if "block" in engine else "full"
    part = dataset.splits()["train"]
    return Loader(dataset, part, split="train", seed=0, batch_size=work.batch_size, **settings)


def fill(work: Work, dataset: Any, cache: str) -> None:
    """Read every sample once, as a first epoch and its validation do."""
    for split, part in dataset.splits().items():
        settings: dict[str, Any] = {"batch_size": work.batch_size, "cache": cache}
        with Loader(dataset, part, split=split, seed=0, **settings) as loader:
            for _ in loader.batches(0, loader.steps_per_pass):
                continue


def read_only(work: Work, dataset: Any, meter: Meter) -> None:
    """Read batches into one and the same memory, in a process that is set up as a worker is."""
    set_up_process()
    order = Order(dataset.splits()["train"], split="train", seed=0, batch_size=work.batch_size)
    plans = (plan for plan in order.plans(0, None) if len(plan.indices) == work.batch_size)
    x, y = assemble(dataset, next(plans))
    limit_to_one_thread()
    for plan in plans:
        assemble(dataset, plan, (x, y))
        meter.batch(len(x), x)
