"""Whether a dataset's images and masks fit the network, asked before it is built."""

from reprise.errors import UserError
from reprise.models.requirements import require_colours
from reprise.spec import Spec

INCEPTION_SMALLEST = 75  # pixels; smaller images vanish on the way down


def count_classes(target_spec: Spec, classes: int | None) -> int:
    """How many classes the model shall tell apart; 1 means yes/no.

    Raises:
        UserError: the dataset has another number of them, or none.
    """
    known = len(target_spec.classes) if target_spec.kind == "mask" else 0
    if known and classes in (None, known):
        return known
    names = ", ".join(target_spec.classes)
    raise UserError(
        f"model.classes={classes} does not fit the dataset's masks",
        expected=f"{known} ({names})" if known else "masks of class ids",
        received=str(classes) if known else f"{target_spec.kind} of shape {target_spec.shape}",
        remedy="leave model.classes=null, which takes the number from the dataset"
        if known
        else "choose a dataset whose target is a mask, such as dataset=image_mask",
    )


def check_images(architecture: str, backbone: str, spec: Spec, step: int) -> None:
    """Refuse images that the architecture cannot take.

    Raises:
        UserError: not 1 or 3 channels, or a size that is no multiple of `step`; it names the
            nearest sizes that are.
    """
    height, width, channels = spec.shape
    require_colours(architecture, channels)
    smallest = step * -(-INCEPTION_SMALLEST // step) if backbone.startswith("inception") else step
    fits = [size % step == 0 and size >= smallest for size in (height, width)]
    if not all(fits):
        low, high = (
            [_nearest(size, step, smallest, up) for size in (height, width)] for up in (0, 1)
        )
        raise UserError(
            f"model={architecture} with backbone {backbone} cannot take images of this size",
            expected=f"height and width that are multiples of {step}, at least {smallest}",
            received=f"dataset.image_size=[{height},{width}]",
            remedy=f"set dataset.image_size={_text(low)}"
            + (f" or dataset.image_size={_text(high)}" if high != low else ""),
        )


def _nearest(size: int, step: int, smallest: int, up: int) -> int:
    return max(smallest, step * (-(-size // step) if up else size // step))


def _text(sizes: list[int]) -> str:
    return f"[{sizes[0]},{sizes[1]}]"
