"""What the bytes of an image say before it is decoded."""

import cv2
import numpy as np
import pytest
from PIL import Image

from reprise.datasets.images.encoded import is_whole_jpeg, is_whole_png, jpeg_size


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_the_size_of_a_jpeg(tmp_path, mode, progressive):
    file = tmp_path / "a.jpg"
    picture = Image.new(mode, (321, 45))
    exif = Image.Exif()
    exif[274] = 6  # turned when it is shown: not here
    picture.save(file, progressive=progressive, exif=exif)
    data = file.read_bytes()
    assert jpeg_size(data) == (45, 321)
    assert is_whole_jpeg(data)
    assert not is_whole_jpeg(data[:-2])
    assert jpeg_size(data[:30]) == (0, 0)


def test_a_png_is_whole_or_not():
    data = cv2.imencode(".png", np.arange(99, dtype=np.uint8).reshape(9, 11))[1].tobytes()
    assert is_whole_png(data)
    assert not is_whole_png(data[:-1])
    assert not is_whole_png(data[:50] + b"?" + data[51:])
