"""The pixel values that published ImageNet weights were trained on."""

from typing import Literal

import keras

Mode = Literal["caffe", "tf", "torch", "raw"]
# ImageNet's mean and deviation in RGB for values 0 to 1, and its mean in BGR for 0 to 255.
TORCH_MEAN, TORCH_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN = (103.939, 116.779, 123.68)


def to_imagenet(images: keras.KerasTensor, mode: Mode, white: float) -> keras.KerasTensor:
    """Bring images to the values that published weights know.

    Args:
        images: Grey or RGB, shape (batch, height, width, 1 or 3), any dtype.
        mode: 'caffe': BGR 0 to 255 less its mean. 'tf': RGB -1 to 1. 'torch': RGB less its mean,
            over its deviation. 'raw': RGB 0 to 255.
        white: The value of white in `images`; black is 0.

    Returns:
        Shape (batch, height, width, 3), float32 whatever the precision of the rest, bfloat16 having
        8 bits; made of plain Keras layers and slices only.

    Source: `preprocess_input` of keras.applications, the modes of the same names.
    """
    to_255 = 255 / white
    if images.shape[-1] == 1:
        images = keras.layers.Concatenate(name="grey_to_rgb")([images, images, images])
    scale, offset = [to_255] * 3, [0.0] * 3
    if mode == "caffe":
        images = images[..., ::-1]  # RGB to BGR
        offset = [-mean for mean in CAFFE_MEAN]
    elif mode == "tf":
        scale, offset = [to_255 / 127.5] * 3, [-1.0] * 3
    elif mode == "torch":
        scale = [to_255 / (255 * deviation) for deviation in TORCH_DEVIATION]
        offset = [-m / d for m, d in zip(TORCH_MEAN, TORCH_DEVIATION, strict=True)]
    return keras.layers.Rescaling(scale, offset, dtype="float32", name="to_imagenet")(images)
