import keras
import pytest

from reprise.training.optimizers import adam, sgd


def test_adam_without_decay_is_adam():
    made = adam(10, learning_rate=0.01, clipnorm=1.0)
    assert type(made) is keras.optimizers.Adam
    assert float(made.learning_rate) == pytest.approx(0.01)
    assert made.clipnorm == 1.0


def test_weight_decay_makes_it_adamw():
    made = adam(10, learning_rate=0.01, weight_decay=0.1)
    assert type(made) is keras.optimizers.AdamW
    assert made.weight_decay == 0.1


def test_sgd_keeps_momentum():
    assert sgd(10, learning_rate=0.1, momentum=0.5).momentum == 0.5


def rate(optimizer, step):
    return float(optimizer._learning_rate(step))


def test_cosine_ends_with_the_run():
    made = adam(100, learning_rate=0.1, schedule="cosine")
    assert rate(made, 0) == pytest.approx(0.1)
    assert rate(made, 50) == pytest.approx(0.05)
    assert rate(made, 100) == pytest.approx(0.0)


def test_cosine_rises_first_where_asked():
    made = sgd(100, learning_rate=0.1, schedule="cosine", warmup_steps=20)
    assert rate(made, 10) == pytest.approx(0.05)
    assert rate(made, 20) == pytest.approx(0.1)
    assert rate(made, 60) == pytest.approx(0.05)
    assert rate(made, 100) == pytest.approx(0.0, abs=1e-8)
