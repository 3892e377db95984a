"""Whether a run may be ended in mid-training, because others did better by the same epoch."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from reprise.runs.job import JOB
from reprise.sweeps.settings import STORAGE, STUDY_FILE

if TYPE_CHECKING:
    import keras

    from reprise.tracking.run import Run


def pruning_callbacks(run: "Run") -> "list[keras.callbacks.Callback]":
    """What ends a run early, where it is a job of a search whose trial is open; else nothing."""
    path: Path = run.folder / JOB
    job = json.loads(path.read_text()) if path.exists() else {"trial": None}
    trial = job["trial"]
    if trial is None:
        return []
    own = next(run.folder.parents[1].glob(f"*/{job['sweep']}/{STUDY_FILE}"), None)
    url = f"sqlite:///{own}" if trial["is_local"] and own else os.environ.get(STORAGE)
    if url is None:
        print(f"note: {STORAGE} names no database; the job is not pruned", file=sys.stderr)
        return []
    from reprise.sweeps.pruning_callback import Pruning, open_trial

    opened = open_trial(url, trial)
    return [Pruning(run, opened, trial["monitor"])] if opened else []
