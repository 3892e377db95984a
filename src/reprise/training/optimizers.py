"""Optimizers with every argument named and typed, so that a misspelt one is caught early."""

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import Ge, Gt, Interval

if TYPE_CHECKING:
    import keras


def adam(
    total_steps: int,
    *,
    learning_rate: Annotated[float, Gt(0)],
    schedule: Literal["constant", "cosine"] = "constant",
    decay_steps: Annotated[int, Ge(1)] | None = None,
    warmup_steps: Annotated[int, Ge(0)] = 0,
    beta_1: Annotated[float, Interval(ge=0, lt=1)] = 0.9,
    beta_2: Annotated[float, Interval(ge=0, lt=1)] = 0.999,
    epsilon: Annotated[float, Gt(0)] = 1e-7,
    weight_decay: Annotated[float, Ge(0)] | None = None,
    clipnorm: Annotated[float, Gt(0)] | None = None,
) -> "keras.Optimizer":
    """Adam, or AdamW where `weight_decay` is given.

    Args:
        total_steps: Training steps of the whole run.
        learning_rate: Step size, the highest one where a schedule is used.
        schedule: `cosine` goes down to 0 over `decay_steps`, after a linear warm-up.
        decay_steps: Training steps of the cosine, warm-up not counted; None: to the run's end.
        warmup_steps: Training steps over which `cosine` rises from 0 to `learning_rate`.
        beta_1: Decay of the gradient's running mean.
        beta_2: Decay of the squared gradient's running mean.
        epsilon: Added to the denominator.
        weight_decay: Decoupled decay per step, as a fraction of the learning rate.
        clipnorm: Largest norm of one variable's gradient.

    Source: Kingma & Ba (2015); Loshchilov & Hutter (2019) for the decoupled decay. Defaults: Keras.
    """
    import keras

    options = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": epsilon, "clipnorm": clipnorm}
    rate = _rate(learning_rate, schedule, decay_steps, warmup_steps, total_steps)
    if weight_decay is None:
        return keras.optimizers.Adam(rate, **options)
    return keras.optimizers.AdamW(rate, weight_decay=weight_decay, **options)


def sgd(
    total_steps: int,
    *,
    learning_rate: Annotated[float, Gt(0)],
    schedule: Literal["constant", "cosine"] = "constant",
    decay_steps: Annotated[int, Ge(1)] | None = None,
    warmup_steps: Annotated[int, Ge(0)] = 0,
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.9,
    nesterov: bool = False,
    weight_decay: Annotated[float, Ge(0)] | None = None,
    clipnorm: Annotated[float, Gt(0)] | None = None,
) -> "keras.Optimizer":
    """Stochastic gradient descent with momentum.

    Args:
        total_steps: Training steps of the whole run.
        learning_rate: Step size, the highest one where a schedule is used.
        schedule: `cosine` goes down to 0 over `decay_steps`, after a linear warm-up.
        decay_steps: Training steps of the cosine, warm-up not counted; None: to the run's end.
        warmup_steps: Training steps over which `cosine` rises from 0 to `learning_rate`.
        momentum: Share of the last step that is kept.
        nesterov: Look ahead along the momentum.
        weight_decay: Decoupled decay per step, as a fraction of the learning rate.
        clipnorm: Largest norm of one variable's gradient.
    """
    import keras

    return keras.optimizers.SGD(
        _rate(learning_rate, schedule, decay_steps, warmup_steps, total_steps),
        momentum=momentum,
        nesterov=nesterov,
        weight_decay=weight_decay,
        clipnorm=clipnorm,
    )


def _rate(
    peak: float, schedule: str, decay_steps: int | None, warmup_steps: int, total_steps: int
) -> "float | keras.optimizers.schedules.LearningRateSchedule":
    if schedule == "constant":
        return peak
    import keras

    decay_steps = decay_steps or max(1, total_steps - warmup_steps)
    if not warmup_steps:
        return keras.optimizers.schedules.CosineDecay(peak, decay_steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, decay_steps, warmup_target=peak, warmup_steps=warmup_steps
    )
