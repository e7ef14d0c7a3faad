"""The same two networks in Keras, layer by layer; runs in the peers' environment for Keras."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

WIDTHS = (32, 64, 128, 256, 512, 1024)
CLASSES = 3
PARAMETERS = {"unet-1": 31_125_987, "unet-2": 6_030_156}
"""The slides' totals, with batch norm's four numbers a channel; checked on each build."""


def build(network: str, side: int):
    """U-Net 1 or 2 on (side, side, 1) images, softmax over three classes.

    Raises
    ------
    SystemExit
        If the count of parameters is not the slides'.
    """
    import keras
    from keras import layers

    def convolution(x, width):
        if network == "unet-1":
            x = layers.Conv2D(width, 3, padding="same")(x)
        else:
            x = layers.SeparableConv2D(width, 3, padding="same")(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    def level(x, width):
        x = layers.SpatialDropout2D(0.1)(convolution(x, width))
        return convolution(x, width)

    images = keras.Input((side, side, 1))
    x, skips = images, []
    for index, width in enumerate(WIDTHS):
        x = level(layers.MaxPooling2D()(x) if index else x, width)
        skips.append(x)
    for width, skip in zip(WIDTHS[-2::-1], skips[-2::-1], strict=True):
        x = layers.Conv2DTranspose(width, 2, strides=2)(x)
        x = layers.BatchNormalization()(layers.Concatenate()([skip, x]))
        x = level(x, width)
    answer = keras.Model(images, layers.Conv2D(CLASSES, 1, activation="softmax")(x))
    if answer.count_params() != PARAMETERS[network]:
        raise SystemExit(f"{network} in Keras has {answer.count_params()} parameters")
    return answer


def predict(_: str, network: str, batch: int, side: int) -> Callable[[], object]:
    """`model.predict_on_batch`, the faster of Keras' two ways to predict one batch."""
    images = np.random.default_rng(0).random((batch, side, side, 1), np.float32)
    model = build(network, side)
    return lambda: model.predict_on_batch(images)


def train(_: str, network: str, batch: int, side: int) -> Callable[[], object]:
    """`train_on_batch`: one step of `fit`, with Adam and cross-entropy + Dice."""
    import keras

    rng = np.random.default_rng(0)
    images = rng.random((batch, side, side, 1), np.float32)
    labels = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, (batch, side, side))]

    def loss(wanted, scores):
        ops = keras.ops
        overlap = 2 * ops.sum(wanted * scores, axis=(0, 1, 2)) + 1e-7
        sizes = ops.sum(wanted**2, axis=(0, 1, 2)) + ops.sum(scores**2, axis=(0, 1, 2)) + 1e-7
        entropy = keras.losses.categorical_crossentropy(wanted, scores)
        return ops.mean(entropy) + 1 - ops.mean(overlap / sizes)

    model = build(network, side)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    return lambda: model.train_on_batch(images, labels)
