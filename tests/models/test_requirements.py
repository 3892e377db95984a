import pytest

from reprise.errors import UserError
from reprise.models import application, autoencoder, cnn, mlp
from reprise.spec import Spec

PICTURE, ROW = Spec((16, 16, 1), "uint8"), Spec((4,), "float32")
ONE, VALUE = Spec((), "int32", ("a", "b")), Spec((), "float32")
MASK = Spec((16, 16, 1), "uint8", ("ink",))
BUILDS = [
    lambda target: cnn.build(PICTURE, target),
    lambda target: mlp.build(ROW, target),
    lambda target: application.build(Spec((32, 32, 3), "uint8"), target),
]


@pytest.mark.parametrize("build", BUILDS)
def test_masks_are_refused_by_models_that_answer_once(build):
    with pytest.raises(UserError, match="gives one answer per sample") as error:
        build(MASK)
    assert "model=unet" in str(error.value)


@pytest.mark.parametrize("build", BUILDS)
def test_one_class_alone_is_refused(build):
    with pytest.raises(UserError, match="nothing to tell apart"):
        build(Spec((), "int32", ("cat",)))


@pytest.mark.parametrize("build", BUILDS)
def test_values_of_unknown_shape_are_refused(build):
    with pytest.raises(UserError, match="values of one shape"):
        build(Spec((None, 2), "float32"))


@pytest.mark.parametrize("shape", [(4,), (16, 16), (None, None, 3), (16, 16, 3, 1)])
@pytest.mark.parametrize("build", [cnn.build, application.build])
def test_what_is_no_picture_is_refused(build, shape):
    with pytest.raises(UserError, match="takes pictures") as error:
        build(Spec(shape, "float32"), ONE)
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("shape", [(None,), (None, None), (4, None), (None, 4, 4)])
def test_an_mlp_needs_known_sizes_but_for_steps(shape):
    with pytest.raises(UserError, match="known shape") as error:
        mlp.build(Spec(shape, "float32"), ONE)
    assert str(shape) in str(error.value)


@pytest.mark.parametrize(
    ("target", "received"),
    [
        (ONE, r"class of shape \(\)"),
        (MASK, r"mask of shape \(16, 16, 1\)"),
        (VALUE, r"values of shape \(\)"),
        (Spec((16, 15, 1), "float32"), r"values of shape \(16, 15, 1\)"),
        (Spec((16, 16), "float32"), r"values of shape \(16, 16\)"),
    ],
)
def test_an_autoencoder_rebuilds_its_input(target, received):
    with pytest.raises(UserError, match=received):
        autoencoder.build(PICTURE, target)
