"""What a model asks of the dataset's arrays, said before it is built."""

from reprise.errors import UserError
from reprise.spec import Spec


def require_target(model: str, spec: Spec) -> None:
    """Refuse a target that is not one answer per sample: a mask, or values of unknown shape.

    Raises:
        UserError: names the models that would do.
    """
    if spec.kind == "mask":
        raise UserError(
            f"model={model} gives one answer per sample",
            expected="one class, several labels, or values",
            received=f"a mask of shape {spec.shape}",
            remedy="choose model=unet, fpn, linknet or pspnet",
        )
    if spec.kind == "class" and len(spec.classes) < 2:
        raise UserError(
            f"model={model} has nothing to tell apart",
            expected="a target of at least 2 classes",
            received=", ".join(spec.classes),
            remedy="give the dataset a second class",
        )
    if None in spec.shape:
        raise UserError(
            f"model={model} gives values of one shape",
            expected="a target of known shape",
            received=str(spec.shape),
            remedy="choose a dataset whose targets all have one shape",
        )


def require_picture(model: str, spec: Spec) -> None:
    """Refuse an input that is not (height, width, channels), all known."""
    if len(spec.shape) != 3 or None in spec.shape:
        raise UserError(
            f"model={model} takes pictures",
            expected="inputs of one shape, (height, width, channels)",
            received=str(spec.shape),
            remedy="choose model=mlp, or a dataset of pictures, spectrograms or matrices",
        )


def require_size(model: str, spec: Spec, smallest: int, reason: str, remedy: str) -> None:
    """Refuse a picture of which nothing would be left on the way down.

    Args:
        model: Named in the message.
        spec: Of the picture.
        smallest: Least height and width.
        reason: What asks for that.
        remedy: What to do beside giving a larger picture.
    """
    if min(spec.shape[:2]) < smallest:
        raise UserError(
            f"model={model}: inputs of this size vanish on the way down",
            expected=f"height and width of at least {smallest}: {reason}",
            received=f"{spec.shape[0]} x {spec.shape[1]}",
            remedy=f"give larger inputs, or {remedy}",
        )


def require_vector(model: str, spec: Spec) -> None:
    """Refuse an input of unknown sizes, but for sequences of vectors: (None, n)."""
    if None in spec.shape[1:] or (None in spec.shape and len(spec.shape) != 2):
        raise UserError(
            f"model={model} takes inputs of known shape, and sequences of vectors",
            expected="a shape such as (4,), (28, 28, 1) or (None, 4)",
            received=str(spec.shape),
            remedy="choose a dataset that gives such inputs",
        )


def require_same_picture(model: str, input_spec: Spec, target_spec: Spec) -> None:
    """Refuse all but values (height, width, channels) for inputs of the same height and width."""
    require_picture(model, input_spec)
    if (
        target_spec.kind != "values"
        or len(target_spec.shape) != 3
        or target_spec.shape[:2] != input_spec.shape[:2]
    ):
        raise UserError(
            f"model={model} rebuilds its input",
            expected=f"a target of values, {input_spec.shape[0]} x {input_spec.shape[1]} as the "
            "input, with any number of channels",
            received=f"{target_spec.kind} of shape {target_spec.shape}",
            remedy="choose model=cnn or model=mlp, which answer for a sample as a whole",
        )


def require_colours(model: str, channels: int) -> None:
    """Refuse pictures that are neither grey nor RGB."""
    if channels not in (1, 3):
        raise UserError(
            f"model={model} cannot take images of {channels} channels",
            expected="1 (grey) or 3 (RGB)",
            received=str(channels),
            remedy="set dataset.channels=3",
        )
