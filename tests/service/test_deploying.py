"""What an engineer gets is enough: installed from the bundle's own files alone, checked, served, and asked."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from jsonschema import Draft202012Validator

from lab2live import wheel
from lab2live.charter.yaml import read_yaml
from lab2live.handoff import bundle, drill, export
from lab2live.handoff.deciding import Deciding
from lab2live.handoff.deploying import archive, folder, locked, mlflow_model, validating
from lab2live.handoff.deploying.capacity import Capacity, core_hash
from lab2live.serving.live import Live
from lab2live.serving.service import _written

MEASURED = Capacity(1.5, 2.0, 4.0, 200.0, 300.0, 0.02, 0.001, "3.11.7")
ROOT = Path(__file__).resolve().parents[2]


def give_up(reason: str) -> None:
    if os.environ.get("LAB2LIVE_REQUIRE_ALL") == "1":
        pytest.fail(f"LAB2LIVE_REQUIRE_ALL=1, but {reason}")
    pytest.skip(f"nothing was installed, so that this was NOT tested: {reason}")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make an environment of nothing but what is named, and give the folder of its programs."""

    def install(*steps: list[object]) -> Path:
        uv = next(filter(None, (shutil.which("uv"), shutil.which("uv", path=str(Path(sys.executable).parent)))), None)
        if uv is None:
            give_up("there is no uv")
        home = tmp_path_factory.mktemp("environment") / "venv"
        subprocess.run([str(uv), "venv", "--quiet", "--python", sys.executable, str(home)], check=True)
        python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        for step in steps:
            command = [str(part) for part in (uv, "pip", "install", "--quiet", "--python", python, *step)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                give_up(f"{' '.join(map(str, step))} failed: {done.stderr[-500:]}")
        return python.parent

    return install


@pytest.fixture
def kubernetes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The schemas of Kubernetes, which are too large to be part of the lock."""
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        give_up("there is no uv")
    command = [
        str(uv),
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(tmp_path),
        "kubernetes-validate",
        "importlib-resources",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        give_up(f"kubernetes-validate cannot be installed: {done.stderr[-500:]}")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture(scope="module")
def whole(bundled: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[bool], Path]:
    """A bundle with everything that deploys it, as the last notebook writes it."""

    def make(own_code: bool) -> Path:
        made = bundled("binary", own_code=own_code)
        kept = bundle.load(made.folder)
        kind = json.loads((made.folder / bundle.MANIFEST).read_text())["format"]
        assert kind == "onnx"
        code = bundle.code_of(made.charter)
        needs = locked.needs(locked.find(ROOT), kind, code)
        more = {name: content for name, content in kept.contents.items() if name.startswith("explain/")}
        more |= folder.files(made.charter, needs, MEASURED, core_hash(made.folder))
        more |= folder.schema(made.form, kept.contract, made.explainer.unasked)
        assert validating.problems(more) == []
        target = tmp_path_factory.mktemp("whole") / "bundle"
        model = (made.folder / f"model.{kind}").read_bytes()
        bundle.write(target, kind, model, kept.contract, code, "# card\n", more, needs.manifest())
        return target

    return make


@pytest.fixture(scope="module")
def slim(whole: Any, installed: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A bundle without own code, and an environment with what its slim lock names and the wheel in it."""
    made = whole(False)
    lock, machinery = made / folder.PREDICT_LOCK, made / "deploy" / wheel.build()[0]
    return made, installed(["--require-hashes", "-r", lock], ["--no-deps", machinery])


@pytest.fixture
def served(slim: Any, tmp_path: Path) -> Iterator[tuple[Path, Path, str]]:
    """The bundle served from the slim environment, as one file; with its folder, the programs and the address."""
    made, programs = slim
    file = archive.write(made, tmp_path / archive.FILE)
    command = [str(programs / "lab2live"), "serve", str(file), "--port", "0", "--state", str(tmp_path / "state")]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with (
        open(tmp_path / "log", "w") as log,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=tmp_path, env=inherited
        ) as process,
    ):
        try:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix("Open this page:").strip()
            assert address, (tmp_path / "log").read_text()
            yield made, programs, address
        finally:
            process.terminate()
            process.wait(30)


def test_a_bundle_predicts_without_pandas_and_scikit_learn(served: Any) -> None:
    made, programs, address = served
    for name in ("pandas", "sklearn"):
        assert subprocess.run([programs / "python", "-c", f"import {name}"], stderr=subprocess.PIPE).returncode == 1
    ask = drill.Asking(int(address.strip("/").rpartition(":")[2]), 0)
    loaded = bundle.load(made)
    cases = [case["values"] for case in loaded.form()["cases"]]
    # one that the rule would answer, which is not there, and one that breaks the contract
    cases += [{**cases[0], "age": 5_000}, {**cases[0], "age": "old"}, {}]
    here = _written(*Live.of(made).about(cases))
    for case, expected in zip(cases, here, strict=True):
        assert ask("/predict", {"values": case}) | {"review": None} == expected
    assert {answer["served_by"] for answer in here} >= {"model", "baseline", "review"}


def test_a_slim_environment_says_that_it_cannot_explain_and_what_to_install(served: Any) -> None:
    made, _, address = served
    ask = drill.Asking(int(address.strip("/").rpartition(":")[2]), 0)
    said = ask("/explain", {"values": bundle.load(made).form()["cases"][0]["values"]})
    assert said == {"message": ask("/ready")["cannot_explain"]}
    assert "pandas is not installed" in said["message"] and "deploy/requirements.lock" in said["message"]
    ready = ask("/ready")
    assert ready["answers_by"] == "model" and not ready["explains"] and ready["intact"]


def test_the_steps_of_the_ci_job_do_what_they_say(slim: Any, tmp_path: Path) -> None:
    """Every step that needs no container, in a folder that holds nothing but the one file."""
    made, programs = slim
    archive.write(made, tmp_path / archive.FILE)
    job = read_yaml((made / "deploy" / "github-workflow.yml").read_text(encoding="utf-8"))["jobs"]["check"]
    port = 20_000 + os.getpid() % 20_000
    steps = [step["run"].replace("8000", str(port)) for step in job["steps"] if "run" in step]
    done = [step for step in steps if "docker" not in step and "pip install" not in step]
    assert len(done) == 3 and len(steps) == 6
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    for step in done:
        ran = subprocess.run(
            ["bash", "-ec", step], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=150
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    (tmp_path / "bundle" / "model_card.md").write_text("another")
    ran = subprocess.run(
        ["bash", "-ec", done[1]], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=150
    )
    assert ran.returncode == 1 and "changed: model_card.md" in ran.stderr
    ran = subprocess.run(
        ["bash", "-ec", done[2]], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=150
    )
    assert ran.returncode == 1 and "should answer" in ran.stderr


def test_a_bundle_with_own_code_is_answered_by_the_fallback_where_its_packages_are_missing(
    whole: Any, slim: Any, tmp_path: Path
) -> None:
    made, (_, programs) = whole(True), slim
    needed = json.loads((made / bundle.MANIFEST).read_text())["needs"]
    assert any(pin.startswith("pandas==") for pin in needed["predict"]), "the manifest says so beforehand"
    code = (
        "import json, sys; from pathlib import Path; from lab2live.serving.live import Live\n"
        "live = Live.of(Path(sys.argv[1])); found = live.about([{'age': 30}])[1]\n"
        "print(json.dumps([live.now.problem, found.served_by[0], found.reason[0]]))"
    )
    ran = subprocess.run([programs / "python", "-P", "-c", code, made], capture_output=True, text=True, cwd=tmp_path)
    problem, source, reason = json.loads(ran.stdout)
    assert "pandas is not installed" in problem or "numpy" in problem
    assert source == "review" and reason == "integrity"


# Lets a process find nothing but what a task needs, as if nothing else were installed.
ONLY = """
import json, sys
from importlib.metadata import packages_distributions
needed, folder, task = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
allowed = {*needed, "lab2live"}
known = {module: {name.lower().replace("_", "-").replace(".", "-") for name in names}
         for module, names in packages_distributions().items()}

class Only:
    def find_spec(self, name, path=None, target=None):
        names = known.get(name.partition(".")[0])
        if names and not names & allowed:
            raise ModuleNotFoundError(f"not needed: {name}", name=name)

sys.meta_path.insert(0, Only())
from pathlib import Path
import lab2live.cli.main
from lab2live.handoff import bundle
from lab2live.serving import listening
from lab2live.serving.live import Live
live = Live.of(Path(folder))
cases = [case["values"] for case in live.now.bundle.form()["cases"]]
cases += [{**cases[0], "age": 200}, {**cases[0], "bill": None}]
assert not live.now.problem, live.now.problem
found = live.about(cases)[1]
assert "model_error" not in found.reason, found.reason
if task != "predict":
    from lab2live.handoff import answering, batch
    answering.ready(live.now.bundle)
print(" ".join(found.served_by))
"""


@pytest.mark.parametrize(("own_code", "kind"), [(False, "onnx"), (True, "onnx"), (False, "skops")])
@pytest.mark.parametrize("task", ["predict", "explain"])
def test_the_lists_name_all_that_is_imported(
    bundled: Any, tmp_path: Path, own_code: bool, kind: str, task: str
) -> None:
    made = bundled("binary", own_code=own_code)
    target = made.folder
    if kind == "skops":
        kept = bundle.load(target)
        more = {name: content for name, content in kept.contents.items() if name.startswith("explain/")}
        target = tmp_path / "bundle"
        bundle.write(target, kind, export.to_skops(made.picked.model), kept.contract, None, "", more)
    needs = locked.needs(locked.find(ROOT), kind, bundle.code_of(made.charter))
    names = json.dumps([one.name for one in needs.packages[task]])
    command = [sys.executable, "-P", "-c", ONLY, names, str(target), task]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "model" in ran.stdout


def test_cases_and_answers_keep_the_schema_and_hostile_ones_break_it(bundled: Any) -> None:
    for problem in ("binary", "multiclass", "regression"):
        made = bundled(problem)
        kept = bundle.load(made.folder)
        (content,) = folder.schema(made.form, kept.contract, made.explainer.unasked).values()
        told = json.loads(content)
        Draft202012Validator.check_schema(told)
        holds = Draft202012Validator(told)
        real = drill.real_cases(made.form, made.table.head(50))
        cases = [
            *real,
            {**real[0], "age": "old"},
            {**real[0], "another": 1},
            {**real[0], "since": "2021-02-30"},
            {},
            [1],
        ]
        answers = _written(*Live.of(made.folder).about([case for case in cases if isinstance(case, dict)]))
        assert all(holds.is_valid({"case": case}) for case in real)
        assert not any(holds.is_valid({"case": case}) for case in cases[len(real) :])
        assert all(holds.is_valid({"answer": answer}) for answer in answers)
        assert not holds.is_valid({"answer": {**answers[0], "served_by": "somebody"}})
        assert not holds.is_valid({"answer": {**answers[0], "echo": "x"}})


def test_mlflow_loads_the_model_and_gives_the_answers_of_the_service(
    whole: Any, installed: Any, tmp_path: Path
) -> None:
    made = whole(True)
    mlflow_model.write(made, tmp_path / "model")
    loaded = bundle.load(made)
    rows = pd.DataFrame([case["values"] for case in loaded.form()["cases"]])
    rows.to_json(tmp_path / "rows.json", orient="records")
    needed = json.loads((made / bundle.MANIFEST).read_text())["needs"]["predict"]
    programs = installed(["mlflow-skinny", *needed])
    code = (
        "import sys; import mlflow.pyfunc, pandas as pd\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "assert model.metadata.signature is not None\n"
        "model.predict(pd.read_json(sys.argv[2], convert_dates=False)).to_json(sys.argv[3], orient='records')"
    )
    command = [programs / "python", "-P", "-c", code, "model", "rows.json", "answers.json"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=150)
    assert ran.returncode == 0, ran.stderr
    answers = pd.DataFrame(json.loads((tmp_path / "answers.json").read_text()))
    expected = Deciding.of(loaded).decide(rows)
    assert answers["prediction"].tolist() == expected["prediction"].tolist()
    assert answers["served_by"].tolist() == expected["served_by"].tolist()
    assert answers["score"].tolist() == pytest.approx(expected["score"].tolist(), abs=1e-9)


def test_a_model_of_mlflow_needs_a_folder_of_its_own_and_a_bundle_that_says_what_it_needs(
    whole: Any, bundled: Any, tmp_path: Path
) -> None:
    from lab2live.errors import UserError

    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "x").touch()
    with pytest.raises(UserError, match="folder of its own"):
        mlflow_model.write(whole(False), tmp_path / "used")
    with pytest.raises(UserError, match="which packages"):
        mlflow_model.write(bundled("binary").folder, tmp_path / "model")
    command = f"{shlex.quote(sys.executable)} -m lab2live mlflow {shlex.quote(str(whole(False)))} model"
    done = subprocess.run(shlex.split(command), cwd=tmp_path, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0 and (tmp_path / "model" / "MLmodel").is_file(), done.stderr


def test_the_manifests_keep_to_the_schemas_of_kubernetes(whole: Any, kubernetes: None) -> None:
    contents = {path.name: path.read_bytes() for path in (whole(False) / "deploy").glob("kubernetes.yaml")}
    manifests = {f"deploy/{name}": content for name, content in contents.items()}
    assert validating.MANIFESTS in manifests and validating.MANIFESTS not in validating.unchecked()
    assert validating.problems(manifests) == []
    broken = {name: content.replace(b"containers:", b"container:") for name, content in manifests.items()}
    assert any("Deployment" in problem for problem in validating.problems(broken))
