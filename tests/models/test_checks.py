import pytest

from reprise.errors import UserError
from reprise.models import fpn, linknet, pspnet, unet
from reprise.spec import Spec

ARCHITECTURES = {"unet": unet, "fpn": fpn, "linknet": linknet}
THREE = ("sky", "road", "car")


def images(height, width, channels=3):
    return Spec((height, width, channels), "uint8")


def masks(classes=("ink",)):
    return Spec((32, 32, 1), "uint8", classes, ignore=255)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_sizes_that_32_does_not_divide_are_refused(name):
    with pytest.raises(UserError, match=f"model={name} with backbone resnet18") as error:
        ARCHITECTURES[name].build(images(360, 480), masks())
    assert "multiples of 32, at least 32" in str(error.value)
    assert "dataset.image_size=[360,480]" in str(error.value)
    assert "set dataset.image_size=[352,480] or dataset.image_size=[384,480]" in str(error.value)


def test_pspnet_wants_multiples_of_6_times_its_downsampling():
    with pytest.raises(UserError, match="multiples of 48") as error:
        pspnet.build(images(128, 128), masks())
    assert "[96,96] or dataset.image_size=[144,144]" in str(error.value)
    with pytest.raises(UserError, match="multiples of 24"):
        pspnet.build(images(128, 128), masks(), downsample_factor=4)


def test_inception_wants_at_least_96():
    with pytest.raises(UserError, match="multiples of 32, at least 96") as error:
        unet.build(images(64, 128), masks(), backbone="inceptionv3")
    assert str(error.value).count("image_size=[96,128]") == 1


def test_other_channels_are_refused():
    with pytest.raises(UserError, match="cannot take images of 4 channels"):
        unet.build(images(32, 32, 4), masks())


@pytest.mark.parametrize("classes", [2, 4])
def test_another_number_of_classes_is_refused(classes):
    with pytest.raises(UserError, match=rf"model\.classes={classes} does not fit") as error:
        unet.build(images(32, 32), masks(THREE), classes=classes)
    assert "3 (sky, road, car)" in str(error.value)


def test_a_target_without_classes_is_refused():
    with pytest.raises(UserError, match="values of shape"):
        unet.build(images(32, 32), Spec((32, 32, 1), "float32"))
