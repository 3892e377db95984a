"""One job of a sweep: `reprise job FILE key=value …`; the sweep types this, or anyone.

It trains the run that the file names, or goes on with it: the same line is right at every attempt.
"""

import json
from pathlib import Path

from reprise.config.compose import Composed
from reprise.config.secrets import redact
from reprise.errors import Pruned, UserError
from reprise.runs.experiment import compose_and_check, open_data
from reprise.runs.folder import IDENTITY, RESULT, TRACEBACK
from reprise.runs.job import read_job
from reprise.runs.resume import resume
from reprise.runs.train import train
from reprise.sweeps.plan import drift
from reprise.sweeps.pruning import pruning_callbacks
from reprise.sweeps.run import SWEEP


def main(argv: list[str]) -> None:
    """Train what is left of the job's run."""
    file, *words = argv
    job = read_job(Path(file))
    runs = Path(file).resolve().parents[3]  # runs/EXPERIMENT/SWEEP/jobs/FILE
    folder = next(runs.glob(f"*/{job.run}"), runs)
    if (folder / RESULT).exists():
        return
    (folder / TRACEBACK).unlink(missing_ok=True)  # of an earlier attempt
    try:
        if (folder / IDENTITY).exists():
            secrets = [word for word in words if redact(word) != word]  # recorded without
            resume(job.run, runs, secrets, callbacks=pruning_callbacks)
        else:
            composed = compose_and_check(words)
            _refuse_drift(Path(file).parents[1] / SWEEP, composed)
            train(composed, open_data(composed.values), job=job, callbacks=pruning_callbacks)
    except Pruned as pruned:
        print(f"\nrun {job.run} was {pruned}: others have done better by then")


def _refuse_drift(sweep: Path, composed: Composed) -> None:
    """Refuse a job whose files in conf/ were edited while its sweep was under way."""
    if changes := drift(json.loads(sweep.read_text())["compositions"], composed):
        raise UserError(
            "the job would be trained with another configuration than the sweep's other jobs",
            expected="what the sweep began with",
            received="\n".join(changes),
            remedy="bring it back and have the job tried again, or begin a new sweep",
        )
