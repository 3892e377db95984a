"""Compares readings of a source, which is to yield the same samples at every pass."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from reprise.datasets.streams.source import Source
from reprise.datasets.streams.split import StreamSplit, announced
from reprise.errors import UserError

_MOST = 1000  # samples that are compared, of all shards together
_ELSEWHERE = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from reprise.datasets.streams.passes import answer; answer()"
)

_REMEDIES = {  # by where the source was read once more
    "again": "do not shuffle in the source, dataset.shuffle_buffer does; and draw nothing without "
    "a seed: rng = np.random.default_rng(0) within samples()",
    "in another process": "sort what comes from a set or depends on hash(): sorted(names); and "
    "let nothing depend on the process",
    "from an object that was made anew": "draw nothing without a seed in __init__ either: "
    "rng = np.random.default_rng(0)",
}


@dataclass(frozen=True)
class Beginning:
    """The first samples of a source.

    Args:
        digests: For each shard a digest of each sample.
        limits: For each shard how many were asked for.
        seconds: Time that reading took.
    """

    digests: list[list[str]]
    limits: list[int]
    seconds: float

    @property
    def samples(self) -> list[str]:
        """Digests of all samples."""
        return list(chain.from_iterable(self.digests))

    def as_json(self) -> dict[str, Any]:
        """For the record of a run; `require_same` reads it."""
        whole = hashlib.sha256("".join(self.samples).encode()).hexdigest()
        return {"limits": self.limits, "sha256": whole}


def read_beginning(
    source: Source,
    take: int | None,
    limits: Sequence[int] | None = None,
    seconds: float | None = None,
) -> Beginning:
    """Read the first samples of each shard.

    Args:
        source: The source.
        take: Samples of each shard in a pass; None: all.
        limits: How many of each shard; None: a thousand in all.
        seconds: Time after which no further sample is read; None: no such time.

    Raises:
        UserError: a sample is not what the source announces.
    """
    if limits is None:
        limits = [-(-_MOST // source.num_shards)] * min(source.num_shards, _MOST)
    whole, began = StreamSplit("train", source, take=take), time.monotonic()
    end = began + (np.inf if seconds is None else seconds)
    digests: list[list[str]] = []
    asked: list[int] = []
    for shard, limit in enumerate(limits):
        own: list[str] = []
        what = f"comparing two readings of the first samples of {source.shard_name(shard)}"
        chunks = announced(whole.chunks(shard, 1), what, "which are to be the same")
        pairs = (pair for chunk in chunks for pair in zip(chunk.x, chunk.y, strict=True))
        for x, y in islice(pairs, limit):
            own.append(_digest(x) + _digest(y))
            if time.monotonic() > end:
                break
        digests.append(own)
        asked.append(len(own) if time.monotonic() > end else limit)
        if time.monotonic() > end:
            break
    return Beginning(digests, asked, time.monotonic() - began)


def compare_passes(
    source: Source,
    take: int | None = None,
    seconds: float | None = None,
    *,
    elsewhere: bool = False,
) -> Beginning:
    """Read the first samples twice.

    Args:
        source: The source.
        take: Samples of each shard in a pass; None: all.
        seconds: Time after which no further sample is read; None: no such time.
        elsewhere: Read them a third time, in a process with another seed of Python's hashes, on
            which the order of a set depends.

    Raises:
        UserError: they are not the same; or two shards have the same samples.
    """
    first = read_beginning(source, take, seconds=seconds)
    _require_same(source, first, read_beginning(source, take, first.limits).digests, "again")
    if elsewhere and "PYTHONHASHSEED" not in os.environ:
        _require_same(source, first, _read_elsewhere(source, take, first), "in another process")
    seen: dict[tuple[str, ...], int] = {}
    for shard, own in enumerate(first.digests):
        twin = seen.setdefault(tuple(own), shard)
        if twin != shard and len(set(own)) > 1:
            raise UserError(
                f"{source.shard_name(shard)} yields the samples of {source.shard_name(twin)}",
                "other samples in each shard",
                f"the same {len(own)} samples at the beginning of both",
                "have samples(shard) read the part of this number; or set num_shards = 1",
            )
    return first


def compare_made_anew(source: Source, take: int | None, first: Beginning) -> None:
    """Raise a UserError if a source made anew does not begin as the one that was read first."""
    again = read_beginning(source, take, first.limits).digests
    _require_same(source, first, again, "from an object that was made anew")


def require_same(source: Source, take: int | None, recorded: dict[str, Any]) -> None:
    """Raise a UserError if a source does not begin as when a run recorded it."""
    if read_beginning(source, take, recorded["limits"]).as_json() != recorded:
        raise UserError(
            f"{type(source).__qualname__} yields other samples than when the run began",
            "the same samples in the same order, so that each stays in its split",
            f"others among the first {sum(recorded['limits'])}",
            "bring the data back to what it was, or begin a new run",
        )


def answer() -> None:
    """In the other process: print the digests that `_read_elsewhere` asks for."""
    source, take, limits = pickle.load(sys.stdin.buffer)
    print("\n" + json.dumps(read_beginning(source, take, limits).digests))


def _read_elsewhere(source: Source, take: int | None, first: Beginning) -> list[list[str]]:
    """The same samples read in another process; `first` where none can."""
    try:
        asked = pickle.dumps(sys.path) + pickle.dumps((source, take, first.limits))
    except Exception:  # which workers would say, if there are to be any
        return first.digests
    seed = {"PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", _ELSEWHERE]
    done = subprocess.run(command, input=asked, capture_output=True, env=os.environ | seed)
    return json.loads(done.stdout.splitlines()[-1]) if not done.returncode else first.digests


def _require_same(source: Source, first: Beginning, again: list[list[str]], where: str) -> None:
    for shard, (own, other) in enumerate(zip(first.digests, again, strict=True)):
        if own == other:
            continue
        pairs = enumerate(zip(own, other, strict=False))
        at = next((at for at, (one, two) in pairs if one != two), None)
        if own and not other:
            received = "none when it is read a second time: its generator was used up"
            remedy = "have samples() make the generator, at every call, and not __init__"
        elif at is None:
            received = f"{len(own)}, then {len(other)} samples"
            remedy = "have samples() yield the same samples at every call"
        else:
            is_order = sorted(own) == sorted(other)
            received = "the same in another order" if is_order else "others"
            received += f", from sample {at} on, when it is read {where}"
            remedy = _REMEDIES[where]
        raise UserError(
            f"{source.shard_name(shard)} changes from pass to pass",
            "the same samples in the same order whenever it is read, by which they are split",
            received,
            remedy,
        )


def _digest(value: Any) -> str:
    array = np.asarray(value)
    text = f"{array.shape} {array.dtype} ".encode()
    return hashlib.blake2b(text + array.tobytes(), digest_size=8).hexdigest()
