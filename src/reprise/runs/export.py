"""Export: a run's model as other programs run it, and how far its answers are the same."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from reprise.config.build import build
from reprise.config.parameters import find_target
from reprise.datasets.base import Dataset, Wrapped
from reprise.datasets.mel_spectrogram import MelSpectrogram
from reprise.datasets.mixed import Mixed
from reprise.errors import UserError
from reprise.files import replacing, write_text
from reprise.project import ROOT
from reprise.runs.calibration import Calibration
from reprise.runs.experiment import Data
from reprise.runs.external import External
from reprise.runs.folder import require_ended
from reprise.runs.load import SavedRun, open_saved_data
from reprise.runs.predictor import Predictor, open_predictor
from reprise.spec import Spec
from reprise.tracking.journal import tags_of

if TYPE_CHECKING:
    import keras

Format = Literal["saved_model", "onnx", "litert"]
NAMES = {"saved_model": "saved_model", "onnx": "model.onnx", "litert": "model.tflite"}
REPRESENTATIVE = 200  # samples of the train split that give int8 its ranges; 100 to 500 are usual
# As parts of the answers' range: the largest difference of float32 summed in another order; and the
# mean one where a side computes in 8 bits, or with the 8 bits of bfloat16's mantissa.
FLOAT32, COARSE = 1e-3, 0.02


@dataclass(frozen=True)
class Parity:
    """How far an exported model's answers are those of the run's model, on one split.

    Args:
        split: Its name.
        samples: How many it has.
        largest: Largest absolute difference of any number of an answer.
        mean: Mean absolute difference.
        tolerance: Of the difference that `limited` names.
        limited: 'largest', or 'mean' of int8 and of models trained in mixed precision.
        is_within: Whether it is not exceeded.
        before: Metrics of the run's model.
        after: Metrics of the exported one.
    """

    split: str
    samples: int
    largest: float
    mean: float
    tolerance: float
    limited: str
    is_within: bool
    before: Mapping[str, float]
    after: Mapping[str, float]


def export(
    saved: SavedRun, kind: Format, output: str, *, int8: bool = False, check: bool = True
) -> tuple[Path, Parity | None]:
    """Write a run's model in another format, and compare both on the run's test split.

    The exported model takes what the run's dataset reads: raw pixels, values in their own units,
    and of spectrograms the sound.

    Args:
        saved: The run.
        kind: The format.
        output: The file, or of a SavedModel the folder; '': below `exports/<run>`.
        int8: Of LiteRT: weights and, where it has such operations, all arithmetic in 8 bits.
        check: Compare; without it the run's data is not needed.

    Returns:
        The file or folder, and the comparison, which is recorded with the run.

    Raises:
        UserError: the format cannot hold the model, or a package is missing; nothing is written.
    """
    require_ended(saved.folder)
    rate = _sample_rate(saved)
    _require(saved, kind, int8, check, output, hears=rate is not None)
    _use_tensorflow()
    predictor = open_predictor(saved)
    calibration = predictor.calibration
    predictor.calibration = None  # what is exported is the model, and how to use it its metadata
    model = predictor.model
    from reprise.runs import export_formats as formats
    from reprise.training.quiet import native_notes_hidden

    if kind == "onnx":
        formats.require_packages()
    whole = model if kind == "saved_model" else formats.in_float32(model)
    if rate:
        from reprise.models.sound import of_sound

        node = saved.config["dataset"]
        samples = max(1, round(node["window_s"] * rate))
        scaled = node.get("normalize", "minmax") == "minmax"
        whole = of_sound(whole, build(node["mel"]), rate, samples, scaled=scaled)
    elif kind == "litert":  # whose convolutions have to know the number of channels
        whole = formats.of_size(whole, saved.specs["input"].shape)
    else:
        whole = formats.traceable(whole, saved.specs["input"].shape)
    data = open_saved_data(saved) if check or int8 else None
    name = NAMES[kind].replace(".", "_int8.") if int8 else NAMES[kind]
    path = ROOT / (output or f"exports/{saved.folder.name}/{name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not output and not (ROOT / "exports/.gitignore").exists():
        write_text(ROOT / "exports/.gitignore", "*\n")
    about = _about(saved, whole, rate, calibration, int8)
    parity = None
    with replacing(path) as partial_path, native_notes_hidden():
        if kind == "saved_model":
            answer = formats.write_saved_model(whole, partial_path, about)
        elif kind == "onnx":
            answer = formats.write_onnx(whole, partial_path, about)
        else:
            some = partial(_representative, data) if int8 and data else None
            answer = formats.write_litert(whole, partial_path, about, some)
        if check and data:
            is_mixed = predictor.saved.config["trainer"].get("precision", "float32") != "float32"
            parity = _compare(predictor, answer, data, is_coarse=int8 or is_mixed)
    if parity:
        _record(saved, f"{kind}_int8" if int8 else kind, parity)
    return path, parity


def _require(
    saved: SavedRun, kind: str, int8: bool, check: bool, output: str, *, hears: bool
) -> None:
    """Refuse what no format can do, before anything is loaded."""
    if int8 and kind != "litert":
        raise UserError(
            f"format={kind} cannot be exported in 8 bits",
            "format=litert with int8=true",
            f"format={kind} int8=true",
            "take litert, or leave int8 out",
        )
    if int8 and hears:
        raise UserError(
            "int8=true cannot hold the spectrogram, which is a part of the exported model",
            "what differs by 48 dB at most; the spectrogram's powers differ by 80 dB",
            "int8=true",
            "leave int8 out: the model is exported in float32",
        )
    endings = {"onnx": ".onnx", "litert": ".tflite"}
    if output and kind in endings and not output.endswith(endings[kind]):
        raise UserError(
            f"output={output} is no name of a {kind} file",
            f"a name that ends in {endings[kind]}",
            output,
            f"output={output}{endings[kind]}",
        )
    place = ROOT / output
    is_earlier = kind == "saved_model" and (place / "saved_model.pb").exists()
    is_other = any(place.iterdir()) if place.is_dir() else kind == "saved_model" and place.exists()
    if output and is_other and not is_earlier:  # it would be replaced as a whole
        raise UserError(
            f"output={output} holds something else",
            "a name that is free, an empty folder, or an earlier export",
            f"a {'folder' if place.is_dir() else 'file'} of that name",
            "choose another output=…",
        )


def _use_tensorflow() -> None:
    """Have Keras run on TensorFlow, which alone writes the formats, whatever trained the model.

    Raises:
        UserError: it runs on another backend already.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    elif (backend := sys.modules["keras"].backend.backend()) != "tensorflow":
        raise UserError(
            "models are exported on TensorFlow",
            "a process in which Keras runs on it; it loads what JAX has trained",
            f"Keras on {backend}",
            "export in a process of its own: make export run=ID",
        )


def _sample_rate(saved: SavedRun) -> int | None:
    """Sample rate of the sound whose spectrograms the run's model takes; None of other inputs."""
    node = saved.config["dataset"]
    target = find_target(str(node["_target_"]))
    is_sound = isinstance(target, type) and issubclass(target, MelSpectrogram)
    return int(node.get("sample_rate", 22050)) if is_sound else None


def _about(
    saved: SavedRun,
    model: keras.Model,
    rate: int | None,
    calibration: Calibration | None,
    int8: bool,
) -> dict[str, Any]:
    """What a program has to know of the model: its input, its answer, and where it comes from."""
    spec, target = saved.specs["input"], saved.specs["target"]
    (x,), (y,) = model.inputs, model.outputs
    if rate:
        meaning = f"sound of one channel, {rate} samples a second, full scale being 1"
    elif len(spec.shape) == 3 and spec.dtype.startswith("uint"):
        channels = {1: "grey", 3: "RGB"}.get(spec.shape[2], f"{spec.shape[2]} bands")
        meaning = f"raw pixels, {channels}, 0 to {np.iinfo(spec.dtype).max}, not scaled"
    else:
        meaning = "values in the units of the training data, not scaled"
    answers = {
        "class": "probability of each class",
        "labels": "probability of each label",
        "mask": "probability of each class, for each pixel",
        "values": "values in the units of the training data",
    }
    tags = tags_of(saved.folder)
    threshold = saved.config["objective"].get("threshold", 0.5)
    return {
        "description": f"{saved.experiment}, run {saved.folder.name} of reprise",
        "run": saved.folder.name,
        "weights_sha256": tags.get("weights_sha256", ""),
        "input": {"name": x.name, "shape": x.shape, "dtype": x.dtype, "meaning": meaning}
        | ({"columns": spec.names} if spec.names else {})
        | ({"sample_rate": rate} if rate else {}),
        "output": {"shape": y.shape, "dtype": y.dtype, "meaning": answers[target.kind]}
        | ({"names": target.names} if target.names else {}),
        "kind": target.kind,
        "classes": target.classes,
        "threshold": threshold if target.kind == "labels" or len(target.classes) == 1 else None,
        "quantized": "int8" if int8 else "",
    } | ({"calibration": asdict(calibration)} if calibration else {})


class _Sounds(Wrapped):
    """The sounds that a dataset's spectrograms are made of."""

    dataset: MelSpectrogram

    def __init__(self, dataset: MelSpectrogram) -> None:
        super().__init__(dataset)
        self.input_spec = Spec(dataset.sound(0).shape, "float32")
        self.target_spec = Spec((), "uint8")

    def read(self, index: int, rng: Any) -> tuple[np.ndarray, np.ndarray]:
        return self.dataset.sound(index), np.zeros((), np.uint8)


def _batches(data: Data, split: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Batches of a split: what the run's model takes, what the exported one takes, and targets."""
    dataset = data.dataset.parts[0] if isinstance(data.dataset, Mixed) else data.dataset
    with ExitStack() as stack:
        loader: Any = stack.enter_context(data.loader(split))
        batches = loader.batches(0, loader.steps_per_pass)
        if not isinstance(dataset, MelSpectrogram):
            yield from ((x, x, y) for x, y in batches)
            return
        sounds: Any = replace(data, dataset=_Sounds(dataset)).loader(split, cache=None)
        raw = stack.enter_context(sounds).batches(0, loader.steps_per_pass)
        for (x, y), (sound, _) in zip(batches, raw, strict=True):
            yield x, sound, y


def _representative(data: Data) -> Iterator[np.ndarray]:
    """Single inputs of the train split, evenly over it, without random changes."""
    split, train = "test", data.splits["train"]
    if isinstance(data.dataset, External):
        split = "train"  # Keras makes its batches
    elif isinstance(data.dataset, Dataset):
        train = train[:: -(-len(train) // REPRESENTATIVE)]
    count = 0
    with replace(data, splits={**data.splits, "test": train}).loader(split, workers=0) as loader:
        for x, _ in loader.batches(0, loader.steps_per_pass):
            yield from x
            count += len(x)
            if count >= REPRESENTATIVE:
                return


def _compare(predictor: Predictor, answer: Any, data: Data, *, is_coarse: bool) -> Parity:
    """Answer the test split by both models."""
    import keras

    split = next(one for one in ("test", "valid", "train") if one in data.splits)
    config, target = predictor.saved.config, data.dataset.target_spec
    sides = [
        (build(config["objective"], target, key="objective"), keras.metrics.Mean("loss"))
        for _ in "ab"
    ]
    largest, total, numbers, samples = 0.0, 0.0, 0, 0
    low, high = (0.0, 1.0) if target.classes else (np.inf, -np.inf)
    for x, raw, y in _batches(data, split):
        both = predictor(x), answer(raw)
        apart = np.abs(both[0].astype(np.float64) - both[1])
        # NaN stays, as it does not in Python's max
        largest, total = float(np.maximum(largest, apart.max())), total + float(apart.sum())
        numbers, samples = numbers + apart.size, samples + len(x)
        low, high = min(low, float(both[0].min())), max(high, float(both[0].max()))
        for ((loss, metrics), mean), answers in zip(sides, both, strict=True):
            mean.update_state(loss(y, answers), sample_weight=len(x))
            for metric in metrics:
                metric.update_state(y, answers)
    before, after = (
        {f"{split}/{one.name}": float(one.result()) for one in (mean, *metrics)}
        for (_, metrics), mean in sides
    )
    found = {"largest": largest, "mean": total / numbers}
    limited, share = ("mean", COARSE) if is_coarse else ("largest", FLOAT32)
    tolerance = share * (high - low)
    is_within = found[limited] <= tolerance
    return Parity(
        split, samples, largest, found["mean"], tolerance, limited, is_within, before, after
    )


def _record(saved: SavedRun, name: str, parity: Parity) -> None:
    """Record the comparison with the run: a file, and a tag."""
    from reprise.runs.sync import add_to_record

    metric = f"{parity.split}/{saved.config['trainer']['monitor'].partition('/')[2]}"
    said = f"differs by at most {parity.largest:.2g}, by {parity.mean:.2g} in the mean"
    if metric in parity.before:
        said += f"; {metric} {parity.before[metric]:.4f} before, {parity.after[metric]:.4f} after"
    file = f"exports/{name}.json"
    write_text(saved.folder / file, json.dumps(vars(parity), indent=1))
    add_to_record(saved.folder, files=[file], tags={f"export.{name}": said})
