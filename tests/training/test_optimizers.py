import keras
import pytest

from reprise.training.optimizers import adam, sgd


@pytest.mark.parametrize(
    ("made", "kind", "attributes"),
    [
        (lambda: adam(10, learning_rate=0.01, clipnorm=1.0), "Adam", {"clipnorm": 1.0}),
        (lambda: adam(10, learning_rate=0.01, weight_decay=0.1), "AdamW", {"weight_decay": 0.1}),
        (lambda: sgd(10, learning_rate=0.01, momentum=0.5), "SGD", {"momentum": 0.5}),
    ],
    ids=["adam", "adamw where there is a decay", "sgd"],
)
def test_settings_reach_the_optimizer(made, kind, attributes):
    optimizer = made()
    assert type(optimizer) is getattr(keras.optimizers, kind)
    assert float(optimizer.learning_rate) == pytest.approx(0.01)
    assert {name: getattr(optimizer, name) for name in attributes} == attributes


@pytest.mark.parametrize(
    ("warmup_steps", "expected"),
    [(0, {0: 0.1, 50: 0.05, 100: 0.0}), (20, {10: 0.05, 20: 0.1, 60: 0.05, 100: 0.0})],
    ids=["ends with the run", "rises first"],
)
def test_the_cosine_rate(warmup_steps, expected):
    kwargs = {"learning_rate": 0.1, "schedule": "cosine", "warmup_steps": warmup_steps}
    rate = sgd(100, **kwargs)._learning_rate
    for step, value in expected.items():
        assert float(rate(step)) == pytest.approx(value, abs=1e-8)
