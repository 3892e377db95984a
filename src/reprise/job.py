"""One job of a sweep: `python -m reprise.job FILE key=value …`; the sweep types this, or anyone.

It trains the run that the file names, or goes on with it: the same line is right at every attempt.
"""

import json
from pathlib import Path

from reprise import command, resume
from reprise.config.compose import Composed
from reprise.config.secrets import redact
from reprise.errors import Pruned, UserError
from reprise.experiment import compose_and_check, open_data
from reprise.run_folder import IDENTITY, RESULT, TRACEBACK
from reprise.sweep_plan import drift
from reprise.sweep_run import SWEEP
from reprise.sweeping.job import read_job
from reprise.train import train


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
            resume.main([f"run={job.run}", f"runs={runs}", *secrets])
        else:
            composed = compose_and_check(words)
            _refuse_drift(Path(file).parents[1] / SWEEP, composed)
            train(composed, open_data(composed.values), job=job)
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


if __name__ == "__main__":
    command.run(main)
