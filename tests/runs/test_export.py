"""An exported model answers raw inputs as the run's model does, and says what it is."""

import json
import zipfile

import numpy as np
import pytest
from made_runs import made_run
from tiny import array_words, overrides, reprise, write_arrays, write_blobs

from reprise.errors import UserError
from reprise.runs.export import export
from reprise.runs.load import find


@pytest.mark.slow
def test_each_format_answers_raw_pixels_as_the_run_does(tmp_path):
    import keras
    import onnxruntime

    words = array_words(write_arrays(tmp_path / "digits.npz"), tmp_path)
    done = reprise("train", *words)
    assert done.returncode == 0, done.stderr[-2000:]
    where = (f"runs={tmp_path}/runs", "run=last")
    (folder,) = (tmp_path / "runs/digits").iterdir()
    pixels = np.load(tmp_path / "digits.npz")["x"][:5, ..., None]
    model = keras.models.load_model(folder / "checkpoints/best.keras", compile=False)
    expected = model.predict(pixels, verbose=0)

    made = reprise("export", *where, "format=onnx", f"output={tmp_path}/m.onnx")
    assert made.returncode == 0, made.stderr[-2000:]
    assert "largest difference" in made.stdout
    assert "test/accuracy" in made.stdout
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    (answer,) = session.run(["output_0"], {session.get_inputs()[0].name: pixels})
    assert np.allclose(answer, expected, atol=1e-5)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == ["0", "1", "2"]
    assert about["run"] == folder.name
    assert session.get_inputs()[0].shape == ["batch", 16, 16, 1]

    made = reprise("export", *where, "format=saved_model", f"output={tmp_path}/saved")
    assert made.returncode == 0, made.stderr[-2000:]
    layer = keras.layers.TFSMLayer(str(tmp_path / "saved"), call_endpoint="serving_default")
    assert np.allclose(layer(pixels)["output_0"], expected, atol=1e-5)
    assert json.loads((tmp_path / "saved/assets.extra/metadata.json").read_text())["classes"]

    made = reprise("export", *where, "format=litert", f"output={tmp_path}/m.tflite")
    assert made.returncode == 0, made.stderr[-2000:]
    small = reprise("export", *where, "format=litert", "int8=true", f"output={tmp_path}/8.tflite")
    assert "tolerance of the mean one" in small.stdout, small.stderr[-2000:]
    assert (tmp_path / "8.tflite").stat().st_size < (tmp_path / "m.tflite").stat().st_size / 2
    with zipfile.ZipFile(tmp_path / "m.tflite") as file:
        assert file.read("labels.txt") == b"0\n1\n2"
    recorded = json.loads((folder / "exports/litert.json").read_text())
    assert recorded["is_within"]
    assert recorded["before"].keys() == recorded["after"].keys()


@pytest.mark.slow
def test_a_segmentation_model_keeps_its_free_height_and_width(tmp_path):
    done = reprise("train", *overrides(write_blobs(tmp_path / "data"), tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    words = (f"runs={tmp_path}/runs", "run=last", "format=onnx", f"output={tmp_path}/m.onnx")
    made = reprise("export", *words, "check=false")
    assert made.returncode == 0, made.stderr[-2000:]
    import onnxruntime

    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert session.get_inputs()[0].shape == ["batch", "height", "width", 3]
    (mask,) = session.run(None, {"images": np.zeros((1, 96, 128, 3), np.uint8)})
    assert mask.shape == (1, 96, 128, 1)


@pytest.mark.slow
def test_what_a_format_cannot_hold_is_named_and_nothing_is_written(tmp_path):
    import keras

    from reprise.runs.export_formats import write_litert, write_onnx

    x = keras.Input((4, 4))
    model = keras.Model(x, keras.ops.linalg.svd(x, compute_uv=False))
    for write, name in ((write_litert, "LiteRT"), (write_onnx, "ONNX")):
        with pytest.raises(UserError, match=name) as refusal:
            write(model, tmp_path / "model.tflite", {"classes": []})
        assert "Svd" in str(refusal.value)


def test_words_that_do_not_go_together_are_refused():
    for words in (("format=onnx", "int8=true"), ("format=pb",)):
        done = reprise("export", "run=last", *words)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_a_folder_of_other_files_is_not_replaced(tmp_path):
    write_arrays(tmp_path / "a.npz")
    words = ["experiment=digits", f"dataset.file={tmp_path}/a.npz"]
    saved = find(str(made_run(tmp_path / "runs", *words)), tmp_path / "runs")
    for name, kind in (("mine", "saved_model"), ("mine.onnx", "onnx")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "precious").touch()
        with pytest.raises(UserError, match="holds something else"):
            export(saved, kind, str(tmp_path / name))
        assert (tmp_path / name / "precious").exists()
