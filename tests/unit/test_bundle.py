"""The bundle: complete, unchanged, the same bytes every time, and enough on its own."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io

from lab2live.charter.schema import Charter
from lab2live.data import dataset, models, splits
from lab2live.errors import UserError
from lab2live.handoff import bundle, contract, export
from lab2live.pipeline import hooks
from lab2live.poc.worth.value import Policy

FEATURES = """
def add_features(frame):
    frame["written"] = 1  # into the table it was given
    return frame.assign(sum=frame["x1"].fillna(0) + frame["x2"]).drop(columns="written")
"""
RULES = """
import numpy as np

def score(frame):
    return np.where(frame["sum"] > 0, 0.75, 0.25)
"""


@dataclass(frozen=True)
class Made:
    """A bundle and what it was made from."""

    charter: Charter
    table: pd.DataFrame
    data: dataset.Dataset
    split: splits.Split
    model: Any
    code: Path
    write: Callable[[Path], Path]


@pytest.fixture(scope="module")
def made(charter_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    home = tmp_path_factory.mktemp("project")
    code = home / "src" / "bundled_project"
    code.mkdir(parents=True)
    for name, content in {"__init__": "", "features": FEATURES, "rules": RULES}.items():
        (code / f"{name}.py").write_text(content)
    charter = charter_of(home, project={"package": "bundled_project"})
    random = np.random.default_rng(0)
    rows = 300
    table = pd.DataFrame(
        {
            "x1": np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows)),
            "x2": random.normal(size=rows),
            "colour": random.choice(["red", "green", None], rows),
            "agreed": pd.Series(random.choice([True, False, None], rows), dtype=object),
            "paid": [Decimal(int(number)) / 4 if number % 5 else None for number in random.integers(0, 40, rows)],
            "since": pd.to_datetime("2020-01-01") + pd.to_timedelta(random.integers(0, 900, rows), unit="D"),
            "mixed": pd.Series(random.choice(np.array([1.0, "one", True], dtype=object), rows), dtype=object),
        }
    )
    margin = 2 * table["x2"] + (table["colour"] == "red") + table["agreed"].map({True: 1, False: -1}).fillna(0)
    table["y"] = np.where(margin + random.logistic(size=rows) > 0, "yes", "no")
    path = list(sys.path)
    data = hooks.dataset(charter, table)
    split = splits.split(charter, data, 0)
    model = models.fit(models.linear(data), data, split.train)
    kind, content, _ = export.export(model, data, 0.5, rows=200)
    agreed = contract.describe(charter, data, split, Policy(data.problem, 0.5))

    def write(folder: Path) -> Path:
        bundle.write(folder, kind, content, agreed, bundle.code_of(charter), "# card\n")
        return folder

    yield Made(charter, table, data, split, model, code, write)
    sys.path[:] = path
    for name in [name for name in sys.modules if name.partition(".")[0] == "bundled_project"]:
        del sys.modules[name]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_is_complete_and_the_same_bytes_every_time(made: Made, tmp_path: Path) -> None:
    first, second = (contents(made.write(tmp_path / name)) for name in ("a", "b"))
    assert first == second
    assert set(first) == {
        *("manifest.json", "contract.json", "model_card.md", "model.onnx"),
        *("code/__init__.py", "code/features.py", "code/rules.py"),
    }
    assert not [name for name in first if str(tmp_path).encode() in first[name]]


def test_writing_again_leaves_nothing_of_the_earlier_bundle(made: Made, tmp_path: Path) -> None:
    made.write(tmp_path / "b")
    (tmp_path / "b" / "code" / "old.py").write_text("old")
    (tmp_path / "b" / "model.skops").write_text("old")
    assert contents(made.write(tmp_path / "b")) == contents(made.write(tmp_path / "c"))


def test_a_loaded_bundle_answers_like_the_tested_model(made: Made, tmp_path: Path) -> None:
    loaded = bundle.load(made.write(tmp_path / "b"))
    raw = dataset.labelled(made.charter, made.table)
    before = raw.copy()
    tested = models.predict(made.model, made.data.inputs)
    assert export.compare(tested, loaded.predict(raw), made.data, 0.5).exact
    assert "sum" in loaded.columns.kinds, "the features travelled along and were used"
    assert loaded.rule(raw).tolist() == np.where(made.data.raw["sum"] > 0, 0.75, 0.25).tolist()
    pd.testing.assert_frame_equal(raw, before)
    one_by_one = np.concatenate([loaded.predict(raw.iloc[[row]]) for row in range(20)])
    assert np.allclose(one_by_one, tested[:20], atol=1e-6)


def test_a_fresh_process_gives_the_same_answers_without_the_project(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made.write(tmp_path / "b")
    monkeypatch.setenv("PYTHONPATH", str(made.charter.folder / "src"))
    raw = dataset.labelled(made.charter, made.table).iloc[made.split.test]
    tested = models.predict(made.model, made.data.inputs.iloc[made.split.test])
    assert export.compare(tested, bundle.ask_in_fresh_process(folder, raw), made.data, 0.5).exact
    # the same features, but they lean on the project: its folder is on this process's path, and not on the other's
    manifest = json.loads((folder / "manifest.json").read_text())
    code = b"import bundled_project\n" + FEATURES.encode()
    (folder / "code" / "features.py").write_bytes(code)
    manifest["files"]["code/features.py"] = hashlib.sha256(code).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    bundle.load(folder)
    with pytest.raises(UserError) as caught:
        bundle.ask_in_fresh_process(folder, raw)
    assert "bundled_project" in caught.value.details["found"]


def test_the_code_of_a_bundle_is_a_package_of_its_own(made: Made, tmp_path: Path) -> None:
    folders = [made.write(tmp_path / name) for name in ("a", "b")]
    for number, folder in enumerate(folders):
        code = {
            "__init__": f"NUMBER = {number}\n",
            "helping": "from __future__ import annotations\nfrom dataclasses import KW_ONLY, dataclass\n\n"
            "@dataclass\nclass Weight:\n    value: float\n    _: KW_ONLY\n    unit: str = 'kg'\n",
            "rules": "from . import NUMBER\nfrom .helping import Weight\n"
            + RULES.replace("return ", "return NUMBER + "),
            "features": "from . import rules\n" + FEATURES,
        }
        manifest = json.loads((folder / "manifest.json").read_text())
        for name, content in code.items():
            (folder / "code" / f"{name}.py").write_text(content)
            manifest["files"][f"code/{name}.py"] = hashlib.sha256(content.encode()).hexdigest()
        (folder / "manifest.json").write_text(json.dumps(manifest))
    first, second = map(bundle.load, folders)
    raw = dataset.labelled(made.charter, made.table)
    assert first.features is not None and second.rules is not None
    assert first.features.rules is first.rules and first.rules is not second.rules
    assert first.rules.Weight(2.0).unit == "kg" and "value" in first.rules.Weight.__annotations__  # type: ignore[union-attr]
    assert (second.rule(raw) - first.rule(raw) == 1).all()
    (folders[0] / "code" / "late.py").write_text("raise SystemExit('read from the disk')")
    with pytest.raises(ImportError):
        importlib.import_module(f"{first.rules.__package__}.late")  # type: ignore[union-attr]
    (folders[0] / "code" / "late.py").unlink()
    assert export.compare(first.predict(raw), bundle.ask_in_fresh_process(folders[1], raw), made.data, 0.5).exact
    (folders[0] / "code" / "helping.py").write_text("# changed")
    left = bundle.salvage(folders[0])
    assert left is not None and left.rules is None and left.contract == first.contract, "the baseline is left"


def test_the_fresh_process_does_not_see_what_lies_beside_the_machinery(made: Made, tmp_path: Path) -> None:
    """The demo's package lies inside the machinery, as a baked project's lies beside it."""
    folder = made.write(tmp_path / "b")
    code = b"import lab2live.demo.features\n" + FEATURES.encode()
    (folder / "code" / "features.py").write_bytes(code)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["code/features.py"] = hashlib.sha256(code).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError) as caught:
        bundle.ask_in_fresh_process(folder, dataset.labelled(made.charter, made.table))
    assert "lab2live.demo" in caught.value.details["found"]


def change(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes() + b" ")


BROKEN: dict[str, Callable[[Path], object]] = {
    "changed model": lambda folder: change(folder, "model.onnx"),
    "changed contract": lambda folder: change(folder, "contract.json"),
    "changed rule": lambda folder: change(folder, "code/rules.py"),
    "changed card": lambda folder: change(folder, "model_card.md"),
    "missing model": lambda folder: (folder / "model.onnx").unlink(),
    "missing code": lambda folder: (folder / "code" / "features.py").unlink(),
    "missing manifest": lambda folder: (folder / "manifest.json").unlink(),
    "added file": lambda folder: (folder / "code" / "sitecustomize.py").write_text("import os"),
    "added hidden file": lambda folder: (folder / ".env").write_text("x"),
    "no manifest": lambda folder: (folder / "manifest.json").write_text("[]"),
    "half a manifest": lambda folder: (folder / "manifest.json").write_text('{"version": 3, "files": {}, "format"'),
    "empty manifest": lambda folder: (folder / "manifest.json").write_text('{"version": 3, "files": {}}'),
    "later version": lambda folder: (folder / "manifest.json").write_text('{"version": 4, "files": {}}'),
    "not even a folder": lambda folder: os.rename(folder, folder.parent / "elsewhere"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_bundle_that_was_touched_is_refused(made: Made, tmp_path: Path, kind: str) -> None:
    folder = made.write(tmp_path / "b")
    BROKEN[kind](folder)
    with pytest.raises(UserError) as caught:
        bundle.load(folder)
    assert str(folder) in caught.value.details["where"]


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname"])
def test_a_manifest_cannot_reach_outside_the_bundle(made: Made, tmp_path: Path, name: str) -> None:
    folder = made.write(tmp_path / "b")
    (tmp_path / "outside").write_text("secret")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError) as caught:
        bundle.load(folder)
    assert caught.value.details.get("expected") != "0" * 64


def test_a_project_without_a_package_has_a_bundle_without_code(generate: Any, tmp_path: Path) -> None:
    charter, data = generate("regression", 100)
    split = splits.split(charter, data, 0)
    model = models.fit(models.linear(data), data, split.train)
    content = skops.io.dumps(model)
    bundle.write(
        tmp_path / "b",
        "skops",
        content,
        contract.describe(charter, data, split, Policy(data.problem, 0.5)),
        bundle.code_of(charter),
        "",
    )
    loaded = bundle.load(tmp_path / "b")
    assert np.allclose(loaded.predict(data.raw), models.predict(model, data.inputs))
    with pytest.raises(UserError, match="no business rule"):
        loaded.rule(data.raw)


def test_the_sentence_says_how_many_answers_differ() -> None:
    same, other = bundle.reloaded(export.Parity(10, 0, 0.0)), bundle.reloaded(export.Parity(10, 3, 0.1))
    assert (same.value, same.message) == (0, "All 10 predictions are those of the tested model.")
    assert (other.value, other.message) == (3, "3 of 10 predictions differ from those of the tested model.")
