"""How long an epoch takes with the MLflow server up and with it down, as a printed table.

    python tests/tracking/step_time.py [ROUNDS]

Both kinds of run take turns; a round's ratio is that of its two medians over the epochs.
"""

import statistics
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]

from tiny import reprise  # noqa: E402
from tracking.test_server import Server  # noqa: E402

from reprise.tracking.journal import metric_history  # noqa: E402

EPOCHS, WARM_UP = 12, 2


def epoch_s(out: Path, uri: str) -> float:
    """Train digits, its metrics recorded at every step; the median of an epoch's seconds."""
    words = [f"tracking.uri={uri}", f"tracking.runs={out}", f"trainer.epochs={EPOCHS}"]
    done = reprise("train", "experiment=digits", "trainer.log_every_steps=1", *words)
    assert done.returncode == 0, done.stderr[-2000:]
    (run,) = out.glob("digits/*")
    return statistics.median([*metric_history(run)["time/epoch_s"].values()][WARM_UP:])


def main(rounds: int) -> None:
    """Print a line a round, and the median of the ratios."""
    ratios = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder)
        for number in range(rounds):
            server.start()
            up = epoch_s(folder / f"up{number}", server.uri)
            server.kill()
            down = epoch_s(folder / f"down{number}", server.uri)
            ratios.append(down / up)
            print(f"up {up:.3f} s  down {down:.3f} s  down/up {ratios[-1]:.3f}", flush=True)
    print(f"median of down/up over {rounds} rounds: {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
