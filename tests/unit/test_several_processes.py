from tests.unit.test_training import CONFIG, changed
from cardioseg.nets.loss import Loss

RUNS = {
    "default": changed(learning_rate=1e-3, batch_size=5, epochs=3),
    "fast": changed(batch_size=5, epochs=3),
    "tversky": changed(
        batch_size=5,
        epochs=3,
        learning_rate=1e-3,
        loss=Loss(region="tversky", boundary=0.01, class_weights=(1.0, 2.0, 3.0)),
    ),
    "gen": changed(
        batch_size=5,
        epochs=3,
        learning_rate=1e-3,
        loss=Loss(pixel="focal", region="generalised_dice", class_weights=(1.0, 2.0, 3.0)),
    ),
    "adam": changed(
        optimiser="adam", weight_decay=0.0, learning_rate=1e-3, accumulate=2, batch_size=5, epochs=3
    ),
}
