import pytest

from reprise.errors import UserError
from reprise.models import application, autoencoder, cnn, fpn, linknet, mlp, pspnet, unet
from reprise.spec import Spec

PICTURE, ROW = Spec((16, 16, 1), "uint8"), Spec((4,), "float32")
ONE, VALUE = Spec((), "int32", ("a", "b")), Spec((), "float32")
MASK = Spec((16, 16, 1), "uint8", ("ink",))
BUILDS = {
    "cnn": lambda target: cnn.build(PICTURE, target),
    "mlp": lambda target: mlp.build(ROW, target),
    "application": lambda target: application.build(Spec((32, 32, 3), "uint8"), target),
}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (MASK, r"gives one answer per sample[\s\S]*model=unet"),
        (Spec((), "int32", ("cat",)), "nothing to tell apart"),
        (Spec((None, 2), "float32"), "values of one shape"),
    ],
)
@pytest.mark.parametrize("name", BUILDS)
def test_targets_that_no_head_answers_for_are_refused(name, target, said):
    with pytest.raises(UserError, match=said):
        BUILDS[name](target)


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


def images(height, width, channels=3):
    return Spec((height, width, channels), "uint8")


def masks(classes=("sky", "road", "car")):
    return Spec((32, 32, 1), "uint8", classes, ignore=255)


@pytest.mark.parametrize("module", [unet, fpn, linknet])
def test_sizes_that_32_does_not_divide_are_refused(module):
    name = module.__name__.rpartition(".")[2]
    with pytest.raises(UserError, match=f"model={name} with backbone resnet18") as error:
        module.build(images(360, 480), masks())
    assert "multiples of 32, at least 32" in str(error.value)
    assert "dataset.image_size=[360,480]" in str(error.value)
    assert "set dataset.image_size=[352,480] or dataset.image_size=[384,480]" in str(error.value)


@pytest.mark.parametrize(
    ("module", "size", "options", "said"),
    [
        (
            pspnet,
            (128, 128),
            {},
            r"multiples of 48[\s\S]*\[96,96\] or dataset.image_size=\[144,144\]",
        ),
        (pspnet, (128, 128), {"downsample_factor": 4}, "multiples of 24"),
        (unet, (64, 128), {"backbone": "inceptionv3"}, "multiples of 32, at least 96"),
        (unet, (64, 128), {"backbone": "inceptionv3"}, r"set dataset.image_size=\[96,128\]$"),
        (unet, (32, 32, 4), {"encoder_weights": "imagenet"}, "does not go with 4 channels"),
        (application, (31, 100), {"backbone": "MobileNet"}, "vanish.*at least 32: MobileNet"),
        (application, (74, 100), {"backbone": "InceptionV3"}, "vanish.*at least 75: InceptionV3"),
        (application, (70, 100), {"backbone": "Xception"}, "vanish.*at least 71: Xception"),
        (application, (32, 32, 2), {"encoder_weights": "imagenet"}, "does not go with 2 channels"),
        (unet, (32, 32), {"classes": 2}, r"classes=2 does not fit[\s\S]*3 \(sky, road, car\)"),
        (unet, (32, 32), {"classes": 4}, r"classes=4 does not fit[\s\S]*3 \(sky, road, car\)"),
    ],
)
def test_what_an_architecture_cannot_take_is_refused(module, size, options, said):
    target = Spec((), "int32", ("a", "b", "c")) if module is application else masks()
    with pytest.raises(UserError, match=f"(?s){said}"):
        module.build(images(*size), target, **options)


def test_a_target_without_classes_is_refused():
    with pytest.raises(UserError, match="values of shape"):
        unet.build(images(32, 32), Spec((32, 32, 1), "float32"))
