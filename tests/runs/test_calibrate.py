"""Calibration: a temperature and thresholds from the validation split, which predict uses."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from made_runs import fully_convolutional, made_run
from PIL import Image
from tiny import new_store, write_arrays, write_blobs

from reprise.cli.calibrate import main
from reprise.errors import UserError
from reprise.runs.calibrate import (
    _pays,
    calibration_error,
    fit_temperature,
    fit_threshold,
    likelihood,
)
from reprise.runs.calibration import CALIBRATION, decide, soften
from reprise.runs.load import find
from reprise.runs.predict import Options, predict
from reprise.spec import Spec


def drawn(count: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right: classes that were drawn by them."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(classes), count).astype(np.float32)
    return p, np.array([rng.choice(classes, p=row / row.sum()) for row in p.astype(float)])


def test_the_temperature_that_spoilt_probabilities_is_found():
    p, truth = drawn(4000, 4)
    too_sure = soften(p, 1 / 3, is_one=True)
    temperature = fit_temperature(too_sure, truth, is_one=True)
    assert temperature == pytest.approx(3, rel=0.1)
    mended = soften(too_sure, temperature, is_one=True)
    assert calibration_error(too_sure, truth, is_one=True) > 0.15
    assert calibration_error(mended, truth, is_one=True) < 0.03
    labels = np.stack([p[:, 0], 1 - p[:, 0]], 1)
    yes = np.stack([truth == 0, truth != 0], 1).astype(int)
    spoilt = soften(labels, 2.0, is_one=False)
    assert fit_temperature(spoilt, yes, is_one=False) == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("is_one", [True, False])
def test_no_temperature_harms_the_likelihood(is_one):
    rng = np.random.default_rng(1)
    for _ in range(20):
        p = rng.dirichlet(np.ones(3), 5).astype(np.float32)
        p[0] = [1, 0, 0]  # certain, and wrong
        truth = rng.integers(1, 3, 5) if is_one else rng.integers(0, 2, (5, 3))
        after = soften(p, fit_temperature(p, truth, is_one=is_one), is_one=is_one)
        assert np.isfinite(after).all()
        before = likelihood(p, truth, is_one=is_one)
        assert likelihood(after, truth, is_one=is_one) <= before


def test_thresholds_by_f1_and_by_precision():
    p = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.8], np.float32)
    yes = np.array([0, 0, 1, 0, 1, 1], bool)
    assert fit_threshold(p, yes, 0.5, None) == pytest.approx(0.25)  # F1 6/7
    assert fit_threshold(p, yes, 0.5, 0.9) == pytest.approx(0.5)
    assert fit_threshold(p, ~yes, 0.5, 0.9) is None
    assert fit_threshold(p, np.zeros(6, bool), 0.4, None) == 0.4


@pytest.mark.parametrize(("samples", "pays"), [(6, False), (600, True)])
def test_few_samples_change_no_rule(samples, pays):
    rng = np.random.default_rng(0)
    truth = np.arange(samples) % 2
    yes = rng.uniform(0.0, 0.3, samples) + 0.2 * truth
    p = np.stack([1 - yes, yes], axis=1)
    spec = Spec((), "int32", ("no", "yes"))
    assert _pays(p, truth, spec, 0) is pays


def test_answers_of_one_class_by_rule():
    spec, limits = Spec((), "int64", ("a", "b")), np.array([0.9, 0.2])
    p = np.array([[0.7, 0.3], [0.95, 0.05]])
    assert decide(p, spec, limits).tolist() == [0, 0]
    assert decide(p, spec, limits, "over threshold").tolist() == [1, 0]
    assert decide(p, spec, limits, "certain").tolist() == [-1, 0]


@pytest.fixture
def classes(tmp_path) -> Path:
    """A run that tells pictures of three classes apart."""
    write_arrays(tmp_path / "a.npz")
    words = ["experiment=digits", f"dataset.file={tmp_path}/a.npz"]
    return made_run(tmp_path / "runs", *words, f"tracking.uri={new_store(tmp_path)}")


def calibrated(folder: Path, capsys, *words: str) -> dict:
    main([f"run={folder}", f"runs={folder.parents[1]}", *words])
    assert "stored" in capsys.readouterr().out
    return json.loads((folder / CALIBRATION).read_text())


def test_predict_uses_the_calibration_until_the_model_is_another(
    classes, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_store(tmp_path))
    found = calibrated(classes, capsys, "precision=0.9")
    assert (classes / "pictures/calibration.png").exists()
    before, after = found["scores"]["valid/nll"]
    assert after <= before

    def answers(**options: bool) -> pd.DataFrame:
        saved = find(str(classes), classes.parents[1])
        done = predict(saved, ["test"], str(tmp_path / "out"), Options(**options))
        return pd.read_csv(done.table, keep_default_na=False)

    raw, new = answers(calibrated=False), answers()
    assert "temperature" in capsys.readouterr().err
    p = raw.filter(like="probability_").to_numpy(np.float32)
    softened = soften(p, found["temperature"], is_one=True)
    assert np.allclose(new.filter(like="probability_"), softened, atol=1e-6)
    limits = np.array([1.0 if one is None else one for one in found["thresholds"].values()])
    at = softened.argmax(1)
    sure = softened.max(1) > limits[at]
    assert [bool(text) for text in new["prediction"].astype(str)] == sure.tolist()
    found["model"] = "another"
    (classes / CALIBRATION).write_text(json.dumps(found))
    assert answers().equals(raw)
    assert "earlier model" in capsys.readouterr().err
    (classes / CALIBRATION).write_text("{}")
    with pytest.raises(UserError, match="cannot be read"):
        answers()


def test_masks_of_yes_and_no_are_cut_at_the_threshold(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_store(tmp_path))
    data = write_blobs(tmp_path / "blobs", 24, 32)
    words = [f"dataset.images={data}/images", f"dataset.masks={data}/masks"]
    words += ["experiment=segmentation", "dataset.image_size=[32,32]"]
    folder = made_run(tmp_path / "runs", *words, model=fully_convolutional)
    found = calibrated(folder, capsys)
    saved = find(str(folder), folder.parents[1])
    done = predict(saved, ["test"], str(tmp_path / "out"), Options(probabilities="npy"))
    name = pd.read_csv(done.table)["name"][0].removesuffix(".png")
    p = np.load(tmp_path / f"out/probabilities/{name}.npy")[..., 0]
    areas = pd.read_csv(done.table)["pixels_foreground"]
    assert areas[0] == (p > np.float32(found["thresholds"]["foreground"])).sum()


def test_a_split_of_ignored_pixels_is_refused(tmp_path):
    data = write_blobs(tmp_path / "blobs", 24, 32)
    words = [f"dataset.images={data}/images", f"dataset.masks={data}/masks"]
    words += ["experiment=segmentation", "dataset.image_size=[32,32]", "dataset.mask_mode=ids"]
    words += ["dataset.classes=[no,yes]", "dataset.ignore=[7]"]
    for file in (data / "masks").iterdir():
        Image.fromarray((np.array(Image.open(file)) > 0).astype(np.uint8)).save(file)

    def two(config: Any, dataset: Any) -> keras.Model:
        inputs = keras.Input(dataset.input_spec.shape, dtype="uint8")
        x = keras.layers.Rescaling(1 / 255)(inputs)
        return keras.Model(inputs, keras.layers.Conv2D(2, 1, activation="softmax")(x))

    folder = made_run(tmp_path / "runs", *words, model=two)
    for name in json.loads((folder / "splits.json").read_text())["valid"]:
        Image.fromarray(np.full((32, 32), 7, np.uint8)).save(data / "masks" / Path(name).name)
    with pytest.raises(UserError, match="no pixel that counts"):
        main([f"run={folder}", f"runs={folder.parents[1]}"])


def test_what_cannot_be_calibrated_is_refused(classes, tmp_path):
    words = ["experiment=denoise", "dataset.noise=0"]
    with pytest.raises(UserError, match="nothing to calibrate"):
        main([f"run={made_run(tmp_path / 'values', *words)}", f"runs={tmp_path}/values"])
    for word in ("precision=2", "precision=high", "by=accuracy"):
        with pytest.raises(UserError, match="thresholds cannot be chosen"):
            main([f"run={classes}", word])
    assert not (classes / CALIBRATION).exists()
