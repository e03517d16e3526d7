"""The chosen model: kept as an artefact of the run, and taken from there as long as nothing has changed."""

from __future__ import annotations

from typing import Any

from lab2live import files
from lab2live.cases import Dataset
from lab2live.poc import ladder
from lab2live.splits import Split
from lab2live.stage import Stage

MODEL_FILE = "model.skops"

# What a saved model may consist of. Reviewed once and fixed: a file that asks for anything else is not loaded.
TRUSTED = (
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.model_selection._split.StratifiedKFold",
)


def save(stage: Stage, model: Any) -> None:
    """Keep the fitted model as an artefact of the run, in a format that runs no code when it is read."""
    import skops.io

    path = stage.path(MODEL_FILE)
    files.write_bytes(path, skops.io.dumps(model))
    stage.artefact(path, "The chosen model (skops)")


def fitted(stage: Stage, data: Dataset, split: Split) -> tuple[str, Any, bool]:
    """Give the chosen model: from this run if it is up to date, else by climbing the ladder again.

    Returns
    -------
    name, model, from_run
        Which rung it stands on, the fitted pipeline, and whether it was taken from the run.
    """
    import skops.io

    result = stage.upstream("poc")
    path = stage.path(MODEL_FILE)
    if result is not None and path.is_file():
        return result["ladder"]["chosen"], skops.io.loads(path.read_bytes(), trusted=list(TRUSTED)), True
    found = ladder.climb(stage.charter, data, split, seed=stage.seed)
    return found.ladder.chosen, found.model, False
