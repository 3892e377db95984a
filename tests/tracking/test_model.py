import subprocess
import sys

import keras
import numpy as np
from mlflow.models import Model

from reprise.tracking.journal import delivered
from reprise.tracking.model import save_model
from reprise.tracking.run import open_run

FRESH = """
import sys, numpy as np, mlflow
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model(sys.argv[2])
np.save(sys.argv[3], model.predict(np.arange(6, dtype='uint8').reshape(1, 2, 3)))
"""


def test_the_model_loads_in_a_fresh_process_and_says_the_same(tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((2, 3), dtype="uint8")
    outputs = keras.layers.Dense(2)(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, outputs)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with open_run(tmp_path / "runs/e/run", "e", "n", uri=uri, redact=str) as run:
        save_model(run, model)
    address = f"runs:/{delivered(run.folder).mlflow_id}/model"
    signature = Model.load(str(run.folder / "model")).signature
    assert signature.inputs.inputs[0].type == np.dtype("uint8")
    assert signature.inputs.inputs[0].shape == (-1, 2, 3)
    assert signature.outputs.inputs[0].shape == (-1, 2, 2)
    result = tmp_path / "out.npy"
    subprocess.run([sys.executable, "-c", FRESH, uri, address, result], check=True)
    expected = model.predict(np.arange(6, dtype="uint8").reshape(1, 2, 3), verbose=0)
    np.testing.assert_array_equal(np.load(result), expected)
