import keras
import mlflow
import numpy as np
from mlflow.models import Model
from tiny import new_store

from reprise.runs.score import save_model
from reprise.tracking.journal import delivered
from reprise.tracking.run import open_run


def test_the_model_that_mlflow_has_says_the_same(tmp_path, monkeypatch):
    """That it needs nothing of ours is tried in a fresh process, in test_train.py."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((2, 3), dtype="uint8")
    outputs = keras.layers.Dense(2)(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, outputs)
    uri = new_store(tmp_path)
    with open_run(tmp_path / "runs/e/run", "e", "n", uri=uri, redact=str) as run:
        save_model(run, model)
    address = f"runs:/{delivered(run.folder).mlflow_id}/model"
    signature = Model.load(str(run.folder / "model")).signature
    assert signature.inputs.inputs[0].type == np.dtype("uint8")
    assert signature.inputs.inputs[0].shape == (-1, 2, 3)
    assert signature.outputs.inputs[0].shape == (-1, 2, 2)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    x = np.arange(6, dtype="uint8").reshape(1, 2, 3)
    received = mlflow.pyfunc.load_model(address).predict(x)
    np.testing.assert_array_equal(received, model.predict(x, verbose=0))
