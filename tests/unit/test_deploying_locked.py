"""What has to be installed follows from the project's lock: neither more nor less."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab2live.errors import UserError
from lab2live.handoff.deploying import folder, locked

ROOT = Path(__file__).resolve().parents[2]
LOCK = """\
# made by a machine
a==1.0 ; python_version < '3.12' \\
    --hash=sha256:00 \\
    --hash=sha256:01
    # via -r requirements.in
a==2.0 ; python_version >= '3.12' \\
    --hash=sha256:02
    # via -r requirements.in
b==1 \\
    --hash=sha256:03
    # via
    #   a
    #   d
c==1 \\
    --hash=sha256:04
    # via b
d==1 \\
    --hash=sha256:05
    # via -r requirements.in
"""


def names(packages: tuple[locked.Package, ...]) -> list[str]:
    return [one.name for one in packages]


def test_a_lock_is_read_with_markers_hashes_and_who_asks() -> None:
    read = locked.read(LOCK)
    assert names(read) == ["a", "a", "b", "c", "d"]
    assert read[0].pin == "a==1.0 ; python_version < '3.12'"
    assert read[0].block == "a==1.0 ; python_version < '3.12' \\\n    --hash=sha256:00 \\\n    --hash=sha256:01"
    assert read[2].via == {"a", "d"} and "b" not in read[2].via


def test_a_package_brings_all_that_it_asks_for_and_nothing_else() -> None:
    assert names(locked.closure(locked.read(LOCK), {"a"})) == ["a", "a", "b", "c"]
    assert names(locked.closure(locked.read(LOCK), {"c"})) == ["c"]


@pytest.fixture(scope="module")
def lock() -> str:
    return locked.find(ROOT)


def test_answering_from_onnx_needs_neither_pandas_nor_scikit_learn(lock: str) -> None:
    needs = locked.needs(lock, "onnx", None)
    predict = names(needs.packages["predict"])
    assert not {"pandas", "scikit-learn", "matplotlib", "jupyterlab"} & set(predict)
    assert {"onnxruntime", "starlette", "pydantic-core", "click"} & set(predict)
    assert set(predict) < set(names(needs.packages["explain"])) < set(names(needs.packages["monitor"]))
    assert "neither pandas nor scikit-learn" in folder.sentence(needs)
    told = needs.manifest()
    assert told["python"] == ["3.11", "3.12", "3.13"] and "not_in_lock" not in told
    assert all("==" in pin and "\\" not in pin for pin in told["predict"])


def test_scikit_learn_is_needed_where_the_model_is_one_of_it(lock: str) -> None:
    needs = locked.needs(lock, "skops", None)
    assert {"pandas", "scikit-learn", "skops"} <= set(names(needs.packages["predict"]))
    assert "neither" not in folder.sentence(needs)


def test_own_code_brings_what_it_imports(lock: str, tmp_path: Path) -> None:
    code = tmp_path / "package"
    code.mkdir()
    (code / "features.py").write_text(
        "import os\nimport yaml.nodes\nfrom . import rules\nfrom package import x\nimport lab2live\n\n"
        "def add_features(frame):\n    import duckdb\n    from nowhere.at import all\n"
    )
    needs = locked.needs(lock, "onnx", code)
    assert {"pandas", "duckdb", "pyyaml"} <= set(names(needs.packages["predict"]))
    assert "scikit-learn" not in names(needs.packages["predict"])
    assert needs.unlocked == ("nowhere",)
    assert needs.manifest()["not_in_lock"] == ["nowhere"] and "nowhere" in folder.sentence(needs)


def test_what_the_model_is_made_of_is_needed_where_it_is_loaded(lock: str) -> None:
    types = [
        "builtins.object",
        "lab2live.data.originals.Originals",
        "lightgbm.basic.Booster",
        "sklearn.tree._tree.Tree",
    ]
    both = lock + "lightgbm==4.7.0 \\\n    --hash=sha256:00\n    # via -r requirements-own.in\n"
    made = locked.needs(both, "skops", None, types)
    assert all("lightgbm" in names(packages) for packages in made.packages.values()) and not made.unlocked
    alike = locked.needs(both, "onnx", None, types)
    assert {"pandas", "scikit-learn"} <= set(names(alike.packages["predict"])), "it takes its rows from a table"
    assert "lightgbm" not in names(alike.packages["predict"]) and "lightgbm" in names(alike.packages["explain"])
    assert locked.needs(lock, "skops", None, types).unlocked == ("lightgbm",)


def test_models_gates_and_checks_of_a_project_stay_behind(lock: str, tmp_path: Path) -> None:
    for name in ("__init__", "features", "rules", "models", "gates", "checks"):
        (tmp_path / f"{name}.py").write_text("import sklearn\n" if name == "models" else "")
    assert [path.stem for path in locked.travelling(tmp_path)] == ["__init__", "features", "rules"]
    assert "scikit-learn" not in names(locked.needs(lock, "onnx", tmp_path).packages["predict"])


def test_the_lock_of_a_task_holds_the_blocks_of_the_whole_one_unchanged(lock: str) -> None:
    needs = locked.needs(lock, "onnx", None)
    written = needs.lock("predict").decode()
    assert all(one.block in lock for one in locked.read(written))
    assert names(locked.read(written)) == sorted(names(needs.packages["predict"]))
    assert all("--hash=sha256:" in one.block for one in locked.read(written))
    both = names(locked.read(needs.lock("predict", "monitor").decode()))
    assert set(both) == set(names(needs.packages["monitor"]))
    assert "http://" not in written and "https://" not in written


def test_a_project_without_a_lock_or_with_half_of_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked, "PACKAGE", tmp_path / "src" / "lab2live")
    with pytest.raises(UserError, match="no lock"):
        locked.find(tmp_path / "elsewhere")
    (tmp_path / "requirements.lock").write_text(LOCK)
    assert locked.find(tmp_path / "elsewhere") == LOCK
    with pytest.raises(UserError, match="lacks packages") as caught:
        locked.needs(LOCK, "onnx", None)
    assert "fastapi" in caught.value.details["found"]


def test_packages_of_ones_own_are_part_of_the_lock_and_what_both_have_counts_once(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").write_text(
        "--find-links ./vendor\nlab2live==0.2 \\\n    --hash=sha256:09\n" + LOCK
    )
    own = (
        "e==1 \\\n    --hash=sha256:06\n    # via -r requirements-own.in\nd==1 \\\n    --hash=sha256:05\n    # via e\n"
    )
    (tmp_path / "requirements-own.lock").write_text(own)
    read = locked.read(locked.find(tmp_path))
    assert names(read) == ["lab2live", "a", "a", "b", "c", "d", "e"]
    assert names(locked.closure(read, {"e"})) == ["b", "c", "d", "e"]
