"""A callback that makes jobs go wrong, for the test of how a sweep takes it."""

import os
import signal
import time

import keras


class Trouble(keras.callbacks.Callback):
    """After the first epoch the runs of three seeds go wrong, unless TROUBLE=off."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = None if os.environ.get("TROUBLE") == "off" else seed

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.seed == 3:
            raise RuntimeError("no such luck")
        if self.seed == 5:
            os.kill(os.getpid(), signal.SIGKILL)  # what the kernel does when memory runs out
        if self.seed == 7:
            time.sleep(3600)
