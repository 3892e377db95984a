"""Trains on one or several logical CPUs, and prints what came of it: KIND DEVICES ROWS.

The environment says the backend and, for JAX, how many CPUs there are.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from reprise.errors import UserError
from reprise.objectives.losses import SegmentationLoss, keep_logits
from reprise.objectives.metrics import ClassScore
from reprise.training import devices
from reprise.training.device import set_up
from reprise.training.fit import compile_model

_, kind, number, of_rows = sys.argv
count, rows = int(number), int(of_rows)
cpu = tf.config.list_physical_devices("CPU")[0]
parts = [tf.config.LogicalDeviceConfiguration()] * count
tf.config.set_logical_device_configuration(cpu, parts)
try:
    facts = set_up("float32", None, False, 0, kind if count > 1 else "none")
    devices.require_rows(4, rows)
except UserError as error:
    print(error)
    sys.exit()

layers = [keras.Input((8, 8, 1))]
for _ in range(2):
    layers += [keras.layers.Conv2D(4, 3, padding="same"), keras.layers.BatchNormalization()]
head = [keras.layers.Conv2D(3, 1), keras.layers.Activation("softmax", dtype="float32")]
model = keras.Sequential([*layers, *head])
loss, metrics = SegmentationLoss("cross_entropy_dice"), [ClassScore("iou", 3)]
keep_logits(model)
compile_model(model, keras.optimizers.SGD(0.1), loss, metrics)
rng = np.random.default_rng(0)
x = rng.normal(size=(rows, 8, 8, 1)).astype("float32")
y = rng.integers(0, 3, (rows, 8, 8, 1)).astype("uint8")
train = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
valid = tf.data.Dataset.from_tensor_slices((x[:13], y[:13])).batch(4)  # the last has one row
history = model.fit(
    train, validation_data=valid, epochs=2, verbose=0, callbacks=devices.callbacks()
).history
again = model.evaluate(valid, return_dict=True, verbose=0)
weights = [float(value) for array in model.get_weights() for value in np.ravel(array)]
known = {"history": history, "again": again, "weights": weights}
print(json.dumps(known | {"distribution": facts.get("distribution")}))
