"""Checks of a dataset's specs before a model is built."""

from reprise.errors import UserError
from reprise.spec import Spec

INCEPTION_SMALLEST = 75  # pixels; smaller images vanish on the way down


def require_target(model: str, spec: Spec) -> None:
    """Check that a target is one answer per sample: no mask, no values of unknown shape.

    Raises:
        UserError: it is not.
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
    """Check that an input is (height, width, channels), all known."""
    if len(spec.shape) != 3 or None in spec.shape:
        raise UserError(
            f"model={model} takes pictures",
            expected="inputs of one shape, (height, width, channels)",
            received=str(spec.shape),
            remedy="choose model=mlp, or a dataset of pictures, spectrograms or matrices",
        )


def require_size(model: str, spec: Spec, smallest: int, reason: str, remedy: str) -> None:
    """Check that something is left of a picture after all halvings.

    Args:
        model: Named in the message.
        spec: Of the picture.
        smallest: Least height and width.
        reason: Why, for the message.
        remedy: Alternative to a larger picture, for the message.
    """
    if min(spec.shape[:2]) < smallest:
        raise UserError(
            f"model={model}: inputs of this size vanish on the way down",
            expected=f"height and width of at least {smallest}: {reason}",
            received=f"{spec.shape[0]} x {spec.shape[1]}",
            remedy=f"give larger inputs, or {remedy}",
        )


def require_vector(model: str, spec: Spec) -> None:
    """Check that an input has a known shape, or is a sequence of vectors: (None, n)."""
    if None in spec.shape[1:] or (None in spec.shape and len(spec.shape) != 2):
        raise UserError(
            f"model={model} takes inputs of known shape, and sequences of vectors",
            expected="a shape such as (4,), (28, 28, 1) or (None, 4)",
            received=str(spec.shape),
            remedy="choose a dataset that gives such inputs",
        )


def require_same_picture(model: str, input_spec: Spec, target_spec: Spec) -> None:
    """Check that input and target are (height, width, channels), equal in height and width."""
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


def require_colours(model: str, channels: int, encoder_weights: str | None) -> None:
    """Check that pictures are grey or RGB if the encoder's weights are given."""
    if channels not in (1, 3) and encoder_weights is not None:
        raise UserError(
            f"model.encoder_weights={encoder_weights} does not go with {channels} channels",
            expected=f"images of 1 (grey) or 3 (RGB) channels, as the weights of "
            f"model={model} were trained on",
            received=f"{channels} channels",
            remedy="set model.encoder_weights=null to begin with random weights, or "
            "dataset.channels=3",
        )


def require_mask(target_spec: Spec, classes: int | None) -> None:
    """Check that the target is a mask, and that `classes`, unless None, is its number of classes.

    Raises:
        UserError: it is not.
    """
    known = len(target_spec.classes) if target_spec.kind == "mask" else 0
    if not known:
        raise UserError(
            f"model.classes={classes} does not fit the dataset's masks",
            expected="masks of class ids",
            received=f"{target_spec.kind} of shape {target_spec.shape}",
            remedy="choose a dataset whose target is a mask, such as dataset=image_mask",
        )
    if classes not in (None, known):
        raise UserError(
            f"model.classes={classes} does not fit the dataset's masks",
            expected=f"{known} ({', '.join(target_spec.classes)})",
            received=str(classes),
            remedy="leave model.classes=null, which takes the number from the dataset",
        )


def require_images(
    architecture: str, backbone: str, spec: Spec, step: int, encoder_weights: str | None
) -> None:
    """Check that images fit the encoder's weights, their height and width multiples of `step`.

    Raises:
        UserError: they are not; the message names the nearest sizes that are.
    """
    require_picture(architecture, spec)
    height, width, channels = spec.shape
    require_colours(architecture, channels, encoder_weights)
    smallest = step * -(-INCEPTION_SMALLEST // step) if backbone.startswith("inception") else step
    if height % step or width % step or min(height, width) < smallest:
        smaller = [max(smallest, size // step * step) for size in (height, width)]
        larger = [max(smallest, -(-size // step) * step) for size in (height, width)]
        sizes = [smaller, larger] if smaller != larger else [smaller]
        remedies = " or ".join(f"dataset.image_size=[{high},{wide}]" for high, wide in sizes)
        raise UserError(
            f"model={architecture} with backbone {backbone} cannot take images of this size",
            expected=f"height and width that are multiples of {step}, at least {smallest}",
            received=f"dataset.image_size=[{height},{width}]",
            remedy=f"set {remedies}",
        )
