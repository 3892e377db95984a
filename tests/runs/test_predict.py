"""Predict on inputs without labels: what Keras's own `predict` answers to the run's batches."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from datasets.sounds import noise, write
from made_runs import fully_convolutional, made_run
from PIL import Image
from tiny import ROOT, new_store, write_arrays, write_blobs

from reprise.errors import UserError
from reprise.runs import predict as module
from reprise.runs import registered
from reprise.runs.folder import CHECKPOINTS, CONFIG, IDENTITY, SPECS, SPLITS
from reprise.runs.load import find
from reprise.runs.predict import Options, predict
from reprise.runs.predictor import Predictor


def expected(folder: Path, split: str = "valid") -> tuple[list[str], np.ndarray]:
    """Names of a split's samples, and what Keras's own `predict` answers to the run's batches."""
    from reprise.runs.experiment import for_keras
    from reprise.runs.load import load_best, open_saved_data

    saved = find(str(folder), folder.parents[1])
    data = open_saved_data(saved)
    model = load_best(folder)
    model.jit_compile = False
    with data.loader(split) as loader:
        answers = model.predict(for_keras(loader), verbose=0)
    return list(data.dataset.names(data.splits[split])), answers


def probabilities(table: Path) -> np.ndarray:
    frame = pd.read_csv(table)
    return frame.filter(like="probability_").to_numpy(np.float32)


def ask(folder, given, output, **options):
    saved = find(str(folder), folder.parents[1])
    return predict(saved, given, str(output), Options(**options))


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blobs")
    write_blobs(folder)
    words = [f"dataset.images={folder}/images", f"dataset.masks={folder}/masks"]
    words += ["experiment=segmentation", "dataset.image_size=[64,64]", "dataset.fit=crop"]
    words += ["dataset.augment.horizontal_flip=true"]
    return folder, made_run(folder / "runs", *words, model=fully_convolutional)


def test_masks_of_a_split_are_those_of_keras_predict(blobs, tmp_path):
    folder, run = blobs
    names, answers = expected(run)
    files = [str(folder / name) for name in names]
    done = ask(run, files, tmp_path / "out", probabilities="npy", overlay=True)
    assert (done.count, done.problems) == (len(names), {})
    for name, answer in zip(names, answers, strict=True):
        stem = Path(name).stem
        found = np.load(tmp_path / f"out/probabilities/{stem}.npy")  # of batches of one
        np.testing.assert_allclose(found, answer, atol=1e-6)
        mask = np.array(Image.open(tmp_path / f"out/masks/{stem}.png"))
        assert np.array_equal(mask, found[..., 0] > 0.5)
    areas = pd.read_csv(done.table).set_index("path")
    assert (areas["pixels_foreground"] + areas["pixels_background"] == 64 * 64).all()
    split = ask(run, ["valid"], tmp_path / "split", probabilities="npy")
    assert split.count == len(names)
    for name, answer in zip(names, answers, strict=True):
        file = tmp_path / f"split/probabilities/{Path(name).with_suffix('.npy')}"
        assert np.array_equal(np.load(file), answer)


def test_a_picture_larger_than_the_model_is_answered_in_tiles_of_its_own_size(blobs, tmp_path):
    _, run = blobs
    rng = np.random.default_rng(0)
    large = rng.integers(0, 255, (160, 192, 3), np.uint8)
    Image.fromarray(large).save(tmp_path / "large.png")
    Image.fromarray(large[:40, :50]).save(tmp_path / "small.png")
    ask(run, [str(tmp_path)], tmp_path / "out", probabilities="npy")
    ask(run, [str(tmp_path)], tmp_path / "flipped", probabilities="npy", flips=True)
    ask(run, [str(tmp_path / "large.png")], tmp_path / "whole", probabilities="npy", tile="160,192")
    found, whole, flipped = (
        np.load(tmp_path / f"{one}/probabilities/large.npy") for one in ("out", "whole", "flipped")
    )
    assert found.shape == whole.shape == flipped.shape == (160, 192, 1)
    again = ask(run, [str(tmp_path)], tmp_path / "out")  # without its own masks, the others' with
    assert again.count == 2 + 5
    # the network sees 7 pixels: tiles differ from the whole at their borders, which weigh little
    assert np.abs(found - whole).max() < 0.01
    small = np.load(tmp_path / "out/probabilities/small.npy")
    assert small.shape == (40, 50, 1)
    ask(run, [str(tmp_path)], tmp_path / "resized", fit="resize", probabilities="png", overlay=True)
    for kind in ("masks/large.png", "probabilities/large.foreground.png", "overlays/large.jpg"):
        assert Image.open(tmp_path / "resized" / kind).size == (192, 160)
    depth = np.array(Image.open(tmp_path / "resized/probabilities/large.foreground.png"))
    mask = np.array(Image.open(tmp_path / "resized/masks/large.png"))
    assert depth.dtype == np.uint16
    assert ((depth >= 32768) == mask).mean() > 0.99
    mirrored = Image.fromarray(large[:, ::-1])
    mirrored.save(tmp_path / "large.png")
    ask(run, [str(tmp_path / "large.png")], tmp_path / "mirrored", probabilities="npy", flips=True)
    again = np.load(tmp_path / "mirrored/probabilities/large.npy")
    np.testing.assert_allclose(again[:, ::-1], flipped, atol=1e-5)
    with pytest.raises(UserError, match="takes no tiles of 50 by 50"):
        ask(run, [str(tmp_path)], tmp_path / "other", tile="50")


def test_tiles_of_several_pictures_fill_a_batch(blobs, tmp_path, monkeypatch):
    _, run = blobs
    rng = np.random.default_rng(0)
    sizes = {"a": (160, 192), "b": (64, 64), "c": (70, 64), "d": (30, 64)}  # 20, 1, 2, 1 tiles
    for name, size in sizes.items():
        pixels = rng.integers(0, 255, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        ask(run, [str(tmp_path / f"{name}.png")], tmp_path / f"alone/{name}", probabilities="npy")
    answered = []
    answer = Predictor.__call__
    monkeypatch.setattr(
        Predictor, "__call__", lambda self, x: answered.append(len(x)) or answer(self, x)
    )
    files = [str(tmp_path / f"{name}.png") for name in sizes]
    ask(run, files, tmp_path / "out", probabilities="npy", batch=10)
    assert answered == [10, 10, 4]
    for name, size in sizes.items():
        found = np.load(tmp_path / f"out/probabilities/{name}.npy")
        alone = np.load(tmp_path / f"alone/{name}/probabilities/{name}.npy")
        assert found.shape == (*size, 1)
        np.testing.assert_allclose(found, alone, atol=1e-6)


def test_a_prediction_that_was_killed_goes_on_and_ends_as_an_undisturbed_one(
    blobs, tmp_path, monkeypatch
):
    folder, run = blobs
    monkeypatch.setattr(module, "_BATCHES", 3)
    (tmp_path / "in").mkdir()
    for file in sorted((folder / "images").iterdir())[:8]:
        (tmp_path / "in" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "in/004.png").write_bytes(b"no picture")
    whole = ask(run, [str(tmp_path / "in")], tmp_path / "whole")

    answered = []

    def killed(self, x):
        if len(answered) == 1:
            raise KeyboardInterrupt
        answered.append(x)
        return answer(self, x)

    answer = Predictor.__call__
    monkeypatch.setattr(Predictor, "__call__", killed)
    with pytest.raises(KeyboardInterrupt):
        ask(run, [str(tmp_path / "in")], tmp_path / "out")
    monkeypatch.setattr(
        Predictor, "__call__", lambda self, x: answered.append(x) or answer(self, x)
    )
    done = ask(run, [str(tmp_path / "in")], tmp_path / "out")
    assert len(answered) == 1 + 2, "of three parts the first was done"
    assert list(done.problems) == list(whole.problems) == ["004.png"]
    for file in (tmp_path / "whole").rglob("*.*"):
        assert (
            file.read_bytes()
            == (tmp_path / "out" / file.relative_to(tmp_path / "whole")).read_bytes()
        )
    assert not list(tmp_path.glob("out/.*"))


def test_pictures_that_cannot_be_read_are_listed_though_a_whole_part_is_of_them(
    blobs, tmp_path, monkeypatch
):
    folder, run = blobs
    monkeypatch.setattr(module, "_BATCHES", 1)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    good = str(folder / "images/000.png")
    done = ask(run, [str(bad), good, str(bad)], tmp_path / "out", batch=1)
    assert [Path(name).name for name in done.problems] == ["bad.png"]
    assert len(pd.read_csv(done.table)) == 1
    with pytest.raises(UserError, match="none of the 1 inputs can be answered"):
        ask(run, [str(bad)], tmp_path / "none")
    (tmp_path / "in").mkdir()
    bad.rename(tmp_path / "in/bad.png")
    os.mkfifo(tmp_path / "in/pipe.png")  # is left out, not waited for
    with pytest.raises(UserError, match="none of the 1 inputs can be answered"):
        ask(run, [str(tmp_path / "in")], tmp_path / "pipe")


def test_what_was_asked_for_in_vain_is_refused_first(blobs, tmp_path):
    folder, run = blobs
    good = [str(folder / "images/000.png")]
    with pytest.raises(UserError, match="threshold is of no use"):
        ask(run, good, tmp_path / "out", threshold="0.7")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file cannot be written"):
        ask(run, good, tmp_path / "file")
    pd.DataFrame({"path": good, "width": [1]}).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(UserError, match="a column 'width' already"):
        ask(run, [str(tmp_path / "table.csv")], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_answers_that_are_no_numbers_are_not_given_as_a_class(blobs, tmp_path, monkeypatch):
    folder, run = blobs
    monkeypatch.setattr(Predictor, "_answer", lambda _, x: np.full((*x.shape[:-1], 1), np.nan))
    with pytest.raises(UserError, match="does not answer with finite numbers"):
        ask(run, [str(folder / "images/000.png")], tmp_path / "out")
    write_arrays(tmp_path / "a.npz")
    arrays = made_run(tmp_path / "runs", "experiment=digits", f"dataset.file={tmp_path}/a.npz")

    def answer(_, x):
        p = np.full((len(x), 3), 1 / 3, np.float32)
        p[0] = np.nan
        return p

    monkeypatch.setattr(Predictor, "_answer", answer)
    done = ask(arrays, ["test"], tmp_path / "arrays")
    assert len(done.problems) == 1
    assert "no finite number" in next(iter(done.problems.values()))


@pytest.mark.parametrize("label", ["price", "[price,size]"])
def test_values_of_rows_stand_beside_them(tmp_path, label):
    table = pd.DataFrame(np.arange(80.0).reshape(20, 4), columns=["a", "b", "price", "size"])
    table.to_csv(tmp_path / "table.csv", index=False)
    words = [f"dataset.table={tmp_path / 'table.csv'}", "dataset.target=value"]
    words += [f"dataset.label={label}", "dataset.columns=[a,b]", "objective=regression"]
    words += ["dataset.classes=null", "trainer.monitor=valid/mae"]
    run = made_run(tmp_path / "runs", "experiment=iris_rows", *words)
    table[["a", "b"]].to_csv(tmp_path / "new.csv", index=False)
    found = pd.read_csv(ask(run, [str(tmp_path / "new.csv")], tmp_path / "out.csv").table)
    names = ["prediction"] if label == "price" else ["prediction_price", "prediction_size"]
    assert list(found) == ["a", "b", *names]
    assert np.isfinite(found[names].to_numpy()).all()


def test_rows_are_matched_by_name_and_bad_ones_are_listed(tmp_path):
    run = made_run(tmp_path / "runs", "experiment=iris_rows")
    names, answers = expected(run)
    table = pd.read_csv(ROOT / "data/iris/iris.csv", dtype=str)
    rows = [int(name.rpartition(" ")[2]) - 2 for name in names]
    own = table.iloc[rows, [3, 2, 1, 0]].assign(note="kept")
    own.loc[len(table)] = ["1", "2", "three", "4", "odd"]
    own.to_csv(tmp_path / "new.csv", index=False)
    done = ask(run, [str(tmp_path / "new.csv")], tmp_path / "out.csv")
    found = pd.read_csv(done.table)
    assert [*found][:6] == [*own, "prediction"]
    assert (found["note"] == "kept").all()
    np.testing.assert_allclose(probabilities(done.table), answers, atol=1e-6)
    assert list(done.problems) == [f"{tmp_path}/new.csv, line {len(own) + 1}"]
    (tmp_path / "less.csv").write_text("petal_length,petal_width,sepal_width\n1,2,3\n")
    with pytest.raises(UserError, match="no column 'sepal_length'"):
        ask(run, [str(tmp_path / "less.csv")], tmp_path / "less-out.csv")


def test_arrays_and_a_split_by_name(tmp_path):
    write_arrays(tmp_path / "a.npz")
    words = ["experiment=digits", f"dataset.file={tmp_path}/a.npz"]
    run = made_run(tmp_path / "runs", *words)
    names, answers = expected(run)
    split = ask(run, ["valid"], tmp_path / "split.csv")
    assert list(pd.read_csv(split.table)["name"]) == names
    assert np.array_equal(probabilities(split.table), answers)
    np.save(tmp_path / "x.npy", np.load(tmp_path / "a.npz")["x"][:9])
    parquet = ask(run, [str(tmp_path / "x.npy")], tmp_path / "rows.parquet")
    assert list(pd.read_parquet(parquet.table)["row"]) == list(range(9))
    np.save(tmp_path / "x.npy", np.zeros((9, 4, 4)))
    with pytest.raises(UserError, match="are not what the model was trained on"):
        ask(run, [str(tmp_path / "x.npy")], tmp_path / "rows.csv")


def test_windows_of_recordings_begin_at_whole_samples_and_the_last_ends_with_the_sound(tmp_path):
    for name, seconds in (("a", 2.3), ("b", 0.4)):
        write(tmp_path / f"in/{name}.wav", noise(seconds))
    rows = [f"a.wav,{'xy'[at % 2]},{at / 10},{at / 10 + 0.1},{at}\n" for at in range(20)]
    (tmp_path / "table.csv").write_text("recording,label,t_min,t_max,own\n" + "".join(rows))
    words = [f"dataset.annotations={tmp_path}/table.csv", f"dataset.recordings={tmp_path}/in"]
    words += ["experiment=audio", "dataset.window_s=1.0", "dataset.sample_rate=8000"]
    run = made_run(tmp_path / "runs", *words, "dataset.group_by=own", "dataset.mel.n_mels=16")
    (tmp_path / "in/c.wav").write_bytes(b"no sound")
    done = ask(
        run, [str(tmp_path / "in")], tmp_path / "out", hop_s=0.5, threshold="0", merge_s=None
    )
    found = pd.read_csv(done.table)
    of_x = found[found["class"] == "x"]
    assert list(zip(of_x["file"], of_x["start"], of_x["end"], strict=True)) == [
        ("a.wav", 0, 1), ("a.wav", 0.5, 1.5), ("a.wav", 1, 2), ("a.wav", 1.3, 2.3),
        ("b.wav", 0, 0.4),
    ]  # fmt: skip
    assert list(done.problems) == ["c.wav, 0 s to 0 s"]
    options = {"hop_s": 0.5, "threshold": "x:0,y:1", "format": "raven,audacity"}
    merged = pd.read_csv(ask(run, [str(tmp_path / "in")], tmp_path / "out", **options).table)
    assert merged[["file", "start", "end", "class"]].to_numpy().tolist() == [
        ["a.wav", 0, 2.3, "x"], ["b.wav", 0, 0.4, "x"],
    ]  # fmt: skip
    options = {"hop_s": 0.5, "threshold": "x:0,y:1", "spectrograms": True}
    ask(run, [str(tmp_path / "in")], tmp_path / "out", **options)
    drawn = sorted(path.name for path in (tmp_path / "out/spectrograms").iterdir())
    assert drawn == ["a.png", "b.png"]
    assert (tmp_path / "out/audacity/a.txt").read_text() == "0.000000\t2.300000\tx\n"
    assert (
        (tmp_path / "out/raven/b.selections.txt")
        .read_text()
        .splitlines()[1]
        .startswith("1\tSpectrogram 1\t1\t0.000000\t0.400000\tx\t")
    )


@pytest.mark.slow
def test_a_registered_model_is_found_here_or_brought_from_mlflow(tmp_path):
    import mlflow

    write_arrays(tmp_path / "a.npz")
    run = made_run(tmp_path / "runs", "experiment=digits", f"dataset.file={tmp_path}/a.npz")
    uri = new_store(tmp_path)
    client = mlflow.MlflowClient(uri)
    experiment = client.create_experiment("e", (tmp_path / "artifacts").as_uri())
    stored = client.create_run(experiment, tags={"reprise.run": run.name})
    for name in (CONFIG, SPECS, SPLITS, IDENTITY):
        client.log_artifact(stored.info.run_id, str(run / name))
    best = run / CHECKPOINTS / "best.keras"
    (tmp_path / "model.keras").write_bytes(best.read_bytes())
    client.log_artifact(stored.info.run_id, str(tmp_path / "model.keras"), "model/data")
    client.create_registered_model("digits")
    client.create_model_version("digits", f"runs:/{stored.info.run_id}/model", stored.info.run_id)
    client.set_registered_model_alias("digits", "champion", "1")
    for name in ("digits@champion", "digits/1", "digits"):
        saved = registered.find_model(name, tmp_path / "none", uri)
        assert (saved.folder / CHECKPOINTS / "best.keras").read_bytes() == best.read_bytes()
    done = predict(saved, ["valid"], str(tmp_path / "out.csv"), Options())
    assert np.array_equal(probabilities(done.table), expected(run)[1])
    with pytest.raises(UserError, match="there is no model digits@other"):
        registered.find_model("digits@other", tmp_path / "none", uri)


def test_a_split_of_a_stream_is_answered_in_its_order(tmp_path):
    run = made_run(tmp_path / "runs", "experiment=iris")
    done = ask(run, ["valid"], tmp_path / "out.csv")
    _, answers = expected(run)
    assert list(pd.read_csv(done.table)["name"])[:2] == ["sample 0", "sample 1"]
    np.testing.assert_allclose(probabilities(done.table), answers, atol=1e-6)
    rows = ask(run, [str(ROOT / "data/iris/iris.csv")], tmp_path / "rows.csv")
    assert rows.count == 150


def test_matrices_of_a_database_are_asked_for_by_id_and_answered_to_a_table(tmp_path):
    data = f"sqlite:///{tmp_path}/cells.db"
    rng = np.random.default_rng(0)
    rows = [(one, y, x, rng.normal()) for one in range(1, 21) for y in range(8) for x in range(8)]
    frame = pd.DataFrame(rows, columns=["user_id", "y", "x", "value"])
    engine = sa.create_engine(data)
    frame.to_sql("matrices", engine, index=False)
    words = ["experiment=denoise", f"dataset.url={data}", "dataset.size=[8,8]", "dataset.ids=null"]
    run = made_run(tmp_path / "runs", *words, "dataset.noise=0")
    query = "SELECT DISTINCT user_id FROM matrices WHERE user_id IN (7, 3) UNION SELECT 99"
    out = {"to": f"sqlite:///{tmp_path}/answers.db#clean"}
    done = ask(run, [query], tmp_path / "out", **out)
    assert list(done.problems) == ["user_id=99"]
    assert list(pd.read_csv(done.table)["user_id"]) == [3, 7]
    names, answers = expected(run)
    of_all = ask(run, ["all"], tmp_path / "all")
    found = np.load(of_all.table.with_suffix(".npy"))
    places = [int(name.partition("=")[2]) - 1 for name in names]
    np.testing.assert_allclose(found[places], answers, atol=1e-5)
    stored = pd.read_sql("SELECT * FROM clean", sa.create_engine(out["to"].partition("#")[0]))
    assert [*stored] == ["user_id", "y", "x", "value"]
    some = stored[(stored["user_id"] == 7) & (stored["y"] == 2) & (stored["x"] == 5)]["value"]
    assert float(some.iloc[0]) == pytest.approx(found[6, 2, 5, 0], abs=1e-5)
    with pytest.raises(UserError, match="the table clean in sqlite"):
        ask(run, ["all"], tmp_path / "again", **out)
