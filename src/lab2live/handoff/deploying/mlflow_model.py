"""A bundle as a model that MLflow loads and serves: written without MLflow, answered as everywhere else.

The folder holds the bundle, this lab2live beside it, and the `MLmodel` file that says how to load them: the flavour
`python_function`, whose loader is this module.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.resources import files as resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab2live import files
from lab2live.charter.yaml import write_yaml
from lab2live.errors import UserError
from lab2live.handoff import bundle as bundles

if TYPE_CHECKING:
    import pandas as pd

LOADER = "lab2live.handoff.deploying.mlflow_model"
DATA, CODE, MODEL = "bundle", "code", "MLmodel"
# What the columns of the answer are, see `Deciding.decide`; of a regression the output is a number.
ANSWER = {"score": "double", "prediction": "string", "served_by": "string", "reason": "string", "detail": "string"}


class Answers:
    """What MLflow asks: a table in, a table out.

    Parameters
    ----------
    folder
        The bundle. It is checked against its manifest before anything of it is loaded.
    """

    def __init__(self, folder: Path) -> None:
        from lab2live.handoff.deciding import Deciding

        self._decides = Deciding.of(bundles.load(folder))

    def predict(self, rows: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """Answer about every row, in the same order: see `Deciding.decide`."""
        return self._decides.decide(rows)


def _load_pyfunc(path: str) -> Answers:
    """Load the model: MLflow calls this by its name."""
    return Answers(Path(path))


def write(bundle: Path, target: Path) -> None:
    """Write a bundle as a model of MLflow.

    Parameters
    ----------
    bundle
        Its folder.
    target
        A new or empty folder.

    Raises
    ------
    UserError
        If the bundle is not whole, says not what it needs, or the folder is in use.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError("The model needs a folder of its own.", where=target, fix="name a new or an empty folder")
    loaded = bundles.load(bundle)
    needs = files.read_json(bundle / bundles.MANIFEST).get("needs")
    if needs is None:
        raise UserError(
            "This bundle does not say which packages it needs.",
            where=bundle / bundles.MANIFEST,
            fix="write it again with this lab2live: lab2live run --stage handoff",
        )
    for path in sorted(bundle.rglob("*")):
        if path.is_file():
            files.write_bytes(target / DATA / path.relative_to(bundle), path.read_bytes())
    home = Path(str(resources("lab2live")))
    for path in sorted(home.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            files.write_bytes(target / CODE / home.name / path.relative_to(home), path.read_bytes())
    # MLflow itself stands in no lock of ours: whoever has it takes the version at hand. It hands over tables of pandas.
    packages = sorted({*needs["predict"], *(pin for pin in needs["explain"] if pin.startswith("pandas=="))})
    files.write_text(target / "requirements.txt", "\n".join(["mlflow", *packages]) + "\n")
    version = platform.python_version()
    environment = {"python": version, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    files.write_text(target / "python_env.yaml", write_yaml(environment))
    function = {
        "loader_module": LOADER,
        "data": DATA,
        "code": CODE,
        "python_version": version,
        "env": {"virtualenv": "python_env.yaml"},
    }
    model = {"flavors": {"python_function": function}, "signature": _signature(loaded.form(), loaded.contract)}
    files.write_text(target / MODEL, write_yaml(model))


def _signature(form: Mapping[str, Any], contract: Mapping[str, Any]) -> dict[str, str]:
    """Write what goes in and what comes out as MLflow does: lists of columns, as JSON inside of the YAML.

    Inputs are of any type: MLflow would refuse a whole table for one value of another, or for whole numbers where it
    expects others, before the contract is looked at and the fallback can answer for that row.
    """
    inputs = [
        {"type": "any", "name": field["name"], "required": not field["optional"]}
        for field in form["fields"]
        if "derived" not in field
    ]
    answer = ANSWER if contract["classes"] else {**ANSWER, "prediction": "double"}
    outputs = [{"type": kind, "name": name, "required": True} for name, kind in answer.items()]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs)}
