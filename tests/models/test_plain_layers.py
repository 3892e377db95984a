import json

import keras
import numpy as np
import pytest

from reprise.models import segmentation
from reprise.models.plain_layers import plain_copy

# One backbone for each thing that has to be rewritten: squeeze and excitation, swish with a
# dropout of its own, and nothing at all. The residual of InceptionResNetV2 and grouped
# convolutions are among the slow ones.
QUICK = ("seresnet18", "efficientnetb0", "resnet18")
SLOW = ("inceptionresnetv2", "resnext50", "seresnext50", "mobilenetv2")


def network_of(backbone):
    library = segmentation._segmentation_models()
    keras.utils.set_random_seed(0)
    return library.Linknet(backbone, input_shape=(96, 96, 3), encoder_weights=None)


def foreign_to_keras(node):
    """What a saved config names that a process with Keras alone could not find."""
    if isinstance(node, list):
        return {name for item in node for name in foreign_to_keras(item)}
    if not isinstance(node, dict):
        return set()
    found = {name for value in node.values() for name in foreign_to_keras(value)}
    module = node.get("module") or "keras"
    if module.split(".")[0] not in ("keras", "builtins"):
        found.add(module)
    if node.get("registered_name") not in (None, node.get("class_name"), "Functional"):
        found.add(node["registered_name"])
    if node.get("class_name") in ("Lambda", "__lambda__", "function"):
        found.add(str(node["class_name"]))
    return found


@pytest.mark.parametrize(
    "backbone", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_the_copy_has_the_same_outputs_and_nothing_foreign(backbone):
    network = network_of(backbone)
    copy = plain_copy(network, None, frozen=set())
    images = np.random.default_rng(0).normal(size=(1, 96, 96, 3)).astype("float32")
    expected = np.asarray(network(images))
    assert np.ptp(expected) > 1e-4
    np.testing.assert_allclose(np.asarray(copy(images)), expected, atol=1e-6)
    assert copy.count_params() == network.count_params()
    assert foreign_to_keras(json.loads(copy.to_json())) == set()


def test_what_is_foreign_is_seen_in_the_original():
    assert foreign_to_keras(json.loads(network_of("seresnet18").to_json())) >= {"Lambda"}


def test_momentum_and_frozen_layers():
    network = network_of("resnet18")
    norms = [layer.name for layer in network.layers if hasattr(layer, "momentum")]
    assert len(norms) > 20

    copy = plain_copy(network, 0.8, frozen={"stage1_unit1_bn1"})
    assert {copy.get_layer(name).momentum for name in norms} == {0.8}
    assert not copy.get_layer("stage1_unit1_bn1").trainable
    assert copy.get_layer("bn0").trainable

    copy = plain_copy(network, None, frozen=set())
    assert [copy.get_layer(name).momentum for name in norms] == [
        network.get_layer(name).momentum for name in norms
    ]


def test_an_unknown_lambda_is_not_passed_on():
    images = keras.Input((4, 4, 3))
    network = keras.Model(images, keras.layers.Lambda(lambda x: x * 2, name="double")(images))
    with pytest.raises(NotImplementedError, match="double"):
        plain_copy(network, None, frozen=set())
