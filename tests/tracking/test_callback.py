import keras
import numpy as np

from reprise.tracking.callback import EpochMetrics, StepMetrics


class Notebook:
    def __init__(self):
        self.rows = []

    def metrics(self, values, step, *, flush=True):
        self.rows.append((step, values))


def test_each_epoch_is_written_once_and_steps_are_counted_through_the_epochs():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.25), "mse", metrics=["mae"])
    book, by_step, waits = Notebook(), Notebook(), iter([0.0, 2.0, 2.0, 5.0])
    data = np.ones((6, 1), "float32")
    callbacks = [EpochMetrics(book, lambda: next(waits)), StepMetrics(by_step, 2)]
    how = {"batch_size": 2, "epochs": 2, "verbose": 0, "callbacks": callbacks}
    model.fit(data, data, validation_data=(data, data), **how)
    assert [step for step, _ in book.rows] == [1, 2]
    assert set(book.rows[0][1]) == {
        "train/loss", "train/mae", "valid/loss", "valid/mae",
        "learning_rate", "time/epoch_s", "time/data_wait_s",
    }  # fmt: skip
    assert book.rows[0][1]["learning_rate"] == 0.25
    assert [values["time/data_wait_s"] for _, values in book.rows] == [2.0, 3.0]
    assert [step for step, _ in by_step.rows] == [2, 4, 6]
    assert set(by_step.rows[0][1]) == {"step/loss", "step/mae"}
