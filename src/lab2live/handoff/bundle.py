"""The bundle: everything that is needed to run the model elsewhere, hashed, and loaded only if the hashes agree."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from lab2live import files, user_code
from lab2live.columns import Columns, prepare, storable
from lab2live.errors import UserError
from lab2live.handoff import export
from lab2live.schema import Charter

MANIFEST = "manifest.json"
CONTRACT = "contract.json"
CARD = "model_card.md"
VERSION = 1


def write(
    folder: Path, model_format: str, model: bytes, contract: Mapping[str, Any], code: Path | None, card: str
) -> None:
    """Write a bundle; what an earlier one left in the folder is removed.

    Parameters
    ----------
    folder
        Where it goes.
    model_format, model
        See `export.export`.
    contract
        What goes in and what comes out.
    code
        The folder of the project's own package: its features and rules travel with the model.
    card
        The model card, Markdown.
    """
    contents = {
        f"model.{model_format}": model,
        CONTRACT: (json.dumps(files.plain(contract), indent=2, ensure_ascii=False) + "\n").encode(),
        CARD: card.encode(),
    }
    if code is not None:
        contents |= {f"code/{path.name}": path.read_bytes() for path in sorted(code.glob("*.py"))}
    if folder.exists():
        for old in sorted(folder.rglob("*"), reverse=True):
            old.rmdir() if old.is_dir() else old.unlink()
    for name, content in contents.items():
        files.write_bytes(folder / name, content)
    manifest = {
        "version": VERSION,
        "format": model_format,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())},
    }
    files.write_json(folder / MANIFEST, manifest)


@dataclass(frozen=True)
class Bundle:
    """A model that was checked and loaded.

    Attributes
    ----------
    contract
        What `contract.json` says.
    """

    contract: Mapping[str, Any]
    columns: Columns
    model: export.OnnxModel | export.SkopsModel
    features: ModuleType | None
    rules: ModuleType | None

    def predict(self, raw: pd.DataFrame) -> np.ndarray:
        """Answer for rows as the sources deliver them, joined: one number per row, see `models.predict`."""
        return self.model.predict(prepare(self._featured(raw), self.columns))

    def rule(self, raw: pd.DataFrame) -> np.ndarray:
        """Answer by the business rule that travelled along."""
        if self.rules is None:
            raise UserError("The bundle has no business rule.", expected="rules.py in the project's package")
        return np.asarray(self.rules.score(self._featured(raw)))

    def _featured(self, raw: pd.DataFrame) -> pd.DataFrame:
        return raw if self.features is None else self.features.add_features(raw)


def load(folder: Path) -> Bundle:
    """Check every file of a bundle against its manifest, then load it.

    Raises
    ------
    UserError
        If a file is missing, was changed, or should not be there. Nothing is loaded then.
    """
    manifest = files.read_json(folder / MANIFEST)
    contents: dict[str, bytes] = {}
    for name, expected in manifest["files"].items():
        path = folder / name
        content = path.read_bytes() if path.is_file() else None
        found = hashlib.sha256(content).hexdigest() if content is not None else "no such file"
        if content is None or found != expected:
            raise UserError(
                "A file of the bundle is missing or was changed.",
                where=path,
                found=found,
                expected=expected,
                fix="take the bundle again from the run that made it; do not edit it",
            )
        contents[name] = content
    contract = json.loads(contents[CONTRACT])
    columns = Columns(
        {entry["name"]: entry["kind"] for entry in contract["inputs"]},
        {entry["name"]: tuple(entry["categories"]) for entry in contract["inputs"] if entry["kind"] == "category"},
    )
    content = contents[f"model.{manifest['format']}"]
    model = export.load_onnx(content, columns) if manifest["format"] == "onnx" else export.load_skops(content)
    return Bundle(contract, columns, model, _module(folder, contents, "features"), _module(folder, contents, "rules"))


def _module(folder: Path, contents: Mapping[str, bytes], name: str) -> ModuleType | None:
    """Import a module of the bundle from the very bytes that were checked."""
    file = f"code/{name}.py"
    if file not in contents:
        return None
    spec = importlib.util.spec_from_loader(f"lab2live_bundle_{name}", loader=None, origin=str(folder / file))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    exec(compile(contents[file], str(folder / file), "exec"), module.__dict__)
    return module


def ask_in_fresh_process(folder: Path, raw: pd.DataFrame) -> np.ndarray:
    """Load the bundle in a new Python that knows nothing of this project, and ask it.

    Parameters
    ----------
    folder
        The bundle.
    raw
        Rows as the sources deliver them.

    Returns
    -------
    numpy.ndarray
        Its answers, shape (rows,).

    Raises
    ------
    UserError
        With what the other process said, if it failed.
    """
    with tempfile.TemporaryDirectory(prefix="lab2live-bundle-") as work:
        rows, answers = Path(work) / "rows.parquet", Path(work) / "answers.npy"
        storable(raw).to_parquet(rows)
        # The machinery, and nothing of the project: the bundle has to bring that along.
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
        environment.pop("LAB2LIVE_PROJECT", None)
        command = [sys.executable, "-m", "lab2live.handoff.bundle", str(folder.resolve()), str(rows), str(answers)]
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip() or "nothing").splitlines()
            raise UserError("A fresh process could not use the bundle.", where=folder, found=said[-1])
        loaded: np.ndarray = np.load(answers, allow_pickle=False)
        return loaded


def reload_sentence(parity: export.Parity) -> str:
    """Say whether the bundle gives the answers that were tested."""
    if parity.disagreeing:
        return f"{parity.disagreeing:,} of {parity.rows:,} answers differ from those of the tested model."
    return f"All {parity.rows:,} answers are those of the tested model."


def code_of(charter: Charter) -> Path | None:
    """Find the folder of the project's own package, which travels in the bundle."""
    features = user_code.module(charter, "features")
    return Path(features.__file__).parent if features is not None and features.__file__ else None


if __name__ == "__main__":
    bundle_folder, rows_file, answers_file = map(Path, sys.argv[1:])
    np.save(answers_file, load(bundle_folder).predict(pd.read_parquet(rows_file)), allow_pickle=False)
