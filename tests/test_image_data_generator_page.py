"""The page for those who come from ImageDataGenerator names what there is and leaves out none."""

import re

from tiny import ROOT

from reprise.config.files import CONF

PAGE = (ROOT / "docs/from_image_data_generator.md").read_text()
CHOICES = sorted(set(re.findall(r"\b(exp|model|objective)=([a-z]+)", PAGE)))
# The arguments that Keras 3.15 has for the class itself and for its three flows.
ARGUMENTS = """
featurewise_center samplewise_center featurewise_std_normalization samplewise_std_normalization
zca_whitening zca_epsilon rotation_range width_shift_range height_shift_range brightness_range
shear_range zoom_range channel_shift_range fill_mode cval horizontal_flip vertical_flip rescale
preprocessing_function data_format validation_split interpolation_order dtype
batch_size shuffle sample_weight seed save_to_dir save_prefix save_format ignore_class_split subset
directory target_size color_mode classes class_mode follow_links interpolation keep_aspect_ratio
dataframe x_col y_col weight_col validate_filenames
"""


def test_every_choice_it_names_exists():
    assert len(CHOICES) >= 5
    groups = {"exp": "experiment", "model": "model", "objective": "objective"}
    files = {f"{groups[group]}/{name}.yaml" for group, name in CHOICES}
    assert [name for name in sorted(files) if not (CONF / name).exists()] == []


def test_every_argument_is_answered():
    assert len(ARGUMENTS.split()) == 45
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    named = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`]+)`", prose))))
    assert [argument for argument in ARGUMENTS.split() if argument not in named] == []
