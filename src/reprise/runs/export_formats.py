"""The formats of export: each writes a model, and returns what answers with the file it wrote."""

import json
import logging
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from reprise.errors import UserError
from reprise.training.quiet import native_notes_hidden

METADATA = "metadata.json"  # in assets.extra/ of a SavedModel, and in the zip part of a .tflite

Answer = Callable[[np.ndarray], np.ndarray]
About = Mapping[str, Any]


def write_saved_model(model: keras.Model, path: Path, about: About) -> Answer:
    """Write TensorFlow's SavedModel with the signature `serving_default`."""
    _save(model, path)
    (path / "assets.extra").mkdir()
    (path / "assets.extra" / METADATA).write_text(json.dumps(about, indent=1))
    loaded = tf.saved_model.load(path)

    def answer(x: np.ndarray) -> np.ndarray:
        found = loaded.signatures["serving_default"](tf.constant(x))
        return next(iter(found.values())).numpy()

    return answer


def write_onnx(model: keras.Model, path: Path, about: About) -> Answer:
    """Write ONNX, with names for the axes that are free, and the metadata as properties.

    Raises:
        UserError: ONNX has no such operation.
    """
    import onnx
    import onnxruntime

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    _convert(
        "ONNX",
        lambda: model.export(path, format="onnx", verbose=False, input_signature=_signature(model)),
    )
    made = onnx.load(path)
    known = {domain.domain: domain.version for domain in made.opset_import}
    odd = {
        node.op_type
        for node in made.graph.node
        if not onnx.defs.has(node.op_type, known.get(node.domain, 1), node.domain)
    }
    if odd:
        raise _no_operation("ONNX", sorted(odd))
    renamed = {made.graph.output[0].name: "output_0"}
    for node in made.graph.node:
        for names in (node.input, node.output):
            names[:] = [renamed.get(name, name) for name in names]
    made.graph.output[0].name = "output_0"
    free = ("batch", "height", "width")
    for value in (*made.graph.input, *made.graph.output):
        for at, axis in enumerate(value.type.tensor_type.shape.dim):
            if not axis.HasField("dim_value"):
                axis.dim_param = free[at] if at < len(free) else f"axis_{at}"
    onnx.helper.set_model_props(
        made,
        {key: text if isinstance(text, str) else json.dumps(text) for key, text in about.items()},
    )
    onnx.checker.check_model(made)
    onnx.save(made, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def write_litert(
    model: keras.Model,
    path: Path,
    about: About,
    samples: Callable[[], Iterable[np.ndarray]] | None = None,
) -> Answer:
    """Write LiteRT, formerly TensorFlow Lite; the metadata are a zip behind the model.

    Args:
        model: The model.
        path: The file.
        about: The metadata; `unzip` shows them, and the interpreter skips them.
        samples: Single inputs, whose ranges the 8 bits cover; None keeps float32.

    Raises:
        UserError: LiteRT has no such operation.
    """
    with TemporaryDirectory() as folder:
        _save(model, Path(folder))
        path.write_bytes(_convert("LiteRT", partial(_to_litert, folder, samples)))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr(METADATA, json.dumps(about, indent=1))
        file.writestr("labels.txt", "\n".join(about["classes"]))
    with warnings.catch_warnings(action="ignore"):  # about the package that will replace it
        interpreter = tf.lite.Interpreter(model_path=str(path))
    given, made = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    shapes: list[tuple[int, ...]] = []

    def answer(x: np.ndarray) -> np.ndarray:
        if shapes[-1:] != [x.shape]:
            interpreter.resize_tensor_input(given["index"], x.shape, strict=True)
            interpreter.allocate_tensors()
            shapes[:] = [x.shape]
        interpreter.set_tensor(given["index"], x)
        interpreter.invoke()
        return interpreter.get_tensor(made["index"])

    return answer


def _save(model: keras.Model, path: Path) -> None:
    """What `model.export` writes, without storing each weight a second time."""
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    module.serve = tf.function(
        lambda x: {"output_0": model(x, training=False)}, input_signature=_signature(model)
    )
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})


def _to_litert(folder: str, samples: Callable[[], Iterable[np.ndarray]] | None) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    if samples is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([x[None]] for x in samples())
    return converter.convert()


def require_packages() -> None:
    """Refuse ONNX where what writes it is not installed.

    Raises:
        UserError: it is not.
    """
    missing = [name for name in ("tf2onnx", "onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise UserError(
            "format=onnx needs packages that are not installed",
            "tf2onnx, onnx and onnxruntime",
            f"without {', '.join(missing)}",
            'make setup, or: pip install "reprise[export]"',
        )


def in_float32(model: keras.Model) -> keras.Model:
    """The model with all of its layers in float32, as ONNX and LiteRT need it; weights are so."""
    layers = list(model._flatten_layers())
    if all(layer.compute_dtype == "float32" for layer in layers):
        return model

    def single(layer: keras.Layer) -> keras.Layer:
        config, own = layer.get_config(), {"dtype": "float32"}
        return type(layer).from_config(config | own if isinstance(layer, keras.Layer) else config)

    clone = keras.models.clone_model(model, clone_function=single, recursive=True)
    clone.set_weights(model.get_weights())
    return clone


def traceable(model: keras.Model, shape: Sequence[int]) -> keras.Model:
    """The model, of one size where its layers cannot be traced at any: bilinear upsampling, say."""
    try:
        tf.function(model, input_signature=_signature(model)).get_concrete_function()
    except Exception:  # Keras raises anything over a size that is not known
        return of_size(model, shape)
    return model


def of_size(model: keras.Model, shape: Sequence[int]) -> keras.Model:
    """The model with inputs of one size, without the batch axis."""
    if None not in model.input_shape[1:]:
        return model
    x = keras.Input(tuple(shape), dtype=model.inputs[0].dtype, name=model.inputs[0].name)
    return keras.Model(x, model(x))


def _signature(model: keras.Model) -> list[tf.TensorSpec]:
    (x,) = model.inputs
    return [tf.TensorSpec(x.shape, x.dtype, name=x.name)]


def _convert(name: str, convert: Callable[[], Any]) -> Any:
    with native_notes_hidden():  # a converter writes pages before it raises
        try:
            return convert()
        except Exception as error:
            text = str(error)
    found = re.findall(r"(?:ops: (?!http)|Tensorflow op \[\S+ )([^\n\]]+)", text)
    raise _no_operation(name, found or text.strip().splitlines()[:3])


def _no_operation(name: str, found: Sequence[str]) -> UserError:
    return UserError(
        f"the model has operations that {name} does not have",
        "layers whose operations all are in the format",
        "\n".join(dict.fromkeys(found)),
        "replace the layers that need them, or take format=saved_model, which has them all",
    )
