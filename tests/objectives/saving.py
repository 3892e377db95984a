"""What holds for a model with any objective of ours."""

import keras
import pytest


def assert_scores_are_the_split_s_and_saved(model, objective, x, y, folder):
    """Return the scores, which neither the size of a batch nor a saved file changes."""
    loss, metrics = objective
    model.compile(loss=loss, metrics=metrics)
    expected = model.evaluate(x, y, batch_size=len(x), verbose=0, return_dict=True)
    assert set(expected) == {"loss", *(metric.name for metric in metrics)}
    short = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
    assert short == pytest.approx(expected, rel=1e-5)
    model.save(folder / "model.keras")
    again = keras.saving.load_model(folder / "model.keras")
    received = again.evaluate(x, y, batch_size=len(x), verbose=0, return_dict=True)
    assert received == pytest.approx(expected)
    return expected
