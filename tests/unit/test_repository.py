"""What must stay true of the files themselves: the lock, the rooms at the top level, the stored notebooks."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from lab2live.charter.yaml import read_yaml

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {name: (ROOT / f"requirements{name}.lock").read_text(encoding="utf-8") for name in ("", "-dev")}
LOCK = "\n".join(LOCKS.values())
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_top_level_holds_the_house() -> None:
    rooms = (
        "README.md LICENSE CHANGELOG.md CONTRIBUTING.md Makefile pyproject.toml environment.yml requirements.in "
        "requirements.lock requirements-dev.in requirements-dev.lock cookiecutter.json template/cookiecutter.json "
        "notebooks src/lab2live tests docs/why.md "
        ".ci/run .github/workflows/ci.yml"
    )
    assert [room for room in rooms.split() if not (ROOT / room).exists()] == []


def test_conda_installs_the_same_locks() -> None:
    dependencies = read_yaml((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    assert dependencies == [
        "python >=3.11,<3.14",
        "pip >=24",
        {"pip": ["-r requirements.lock", "-r requirements-dev.lock"]},
    ]


def test_every_locked_package_is_pinned_and_hashed() -> None:
    entries = re.split(r"^(?=[A-Za-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(entries) > 100
    loose = [entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]
    assert loose == []


def test_lock_names_no_host() -> None:
    assert re.findall(r"\S*(?:://|index-url|find-links|trusted-host)\S*", LOCK) == []


@pytest.mark.parametrize("name", LOCKS)
def test_everything_asked_for_is_locked(name: str) -> None:
    text = (ROOT / f"requirements{name}.in").read_text(encoding="utf-8")
    asked = re.findall(r"^([A-Za-z0-9._-]+)", text, re.MULTILINE)
    locked = {canonical(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", LOCKS[name], re.MULTILINE)}
    assert [name for name in asked if canonical(name) not in locked] == []


def test_the_two_locks_agree_wherever_both_have_a_package() -> None:
    pins = {name: {*re.findall(r"^([\w.-]+==[\w.+]+)", text, re.MULTILINE)} for name, text in LOCKS.items()}
    names = {name: {pin.split("==")[0] for pin in found} for name, found in pins.items()}
    both = names[""] & names["-dev"]
    assert len(both) > 20
    assert [pin for pin in pins["-dev"] - pins[""] if pin.split("==")[0] in both] == []


def test_what_only_the_tests_of_this_repository_need_is_not_in_a_project() -> None:
    for package in ("schemathesis", "playwright", "lightgbm", "mypy", "hypothesis", "import-linter", "pandas-stubs"):
        assert f"\n{package}==" in LOCKS["-dev"] and f"\n{package}==" not in LOCKS[""], package


def test_the_four_notebooks_are_there() -> None:
    names = [path.stem for path in NOTEBOOKS]
    assert names[:4] == ["01_eda", "02_poc", "03_explainability", "04_handoff"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def notebook(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def test_notebook_is_light(path: Path) -> None:
    assert path.stat().st_size < 300_000


def test_notebook_ids_make_stable_diffs(path: Path, notebook: Any) -> None:
    room = path.stem.split("_", 1)[-1]
    assert [cell.id for cell in notebook.cells] == [f"{room}-{number:02d}" for number in range(len(notebook.cells))]


def test_notebook_stores_what_it_shows(notebook: Any) -> None:
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    checked = [cell for cell in code if "nbval-check-output" in cell.metadata.get("tags", [])]
    assert checked, "no cell is tagged nbval-check-output: nbval would compare nothing"
    assert [cell.id for cell in checked if not cell.outputs] == []


def test_notebook_carries_no_trace_of_its_run(notebook: Any) -> None:
    assert "papermill" not in notebook.metadata
    traces = {"papermill", "execution"}
    assert [cell.id for cell in notebook.cells if traces & set(cell.metadata)] == []
    assert [cell.id for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", [])] == []


def test_notebook_carries_no_path_of_the_machine_and_nothing_on_stderr(notebook: Any) -> None:
    outputs = [(cell.id, output) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [cell for cell, output in outputs if output.get("name") == "stderr"] == []
    assert [cell for cell, output in outputs if "site-packages" in str(output)] == []


def test_notebook_has_one_parameters_cell(path: Path, notebook: Any) -> None:
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    many = path.stem == "portfolio"  # the one notebook that is about several projects
    for parameter in ("projects", "out", "seed") if many else ("project", "run_dir", "sample", "seed"):
        assert re.search(rf"^{parameter}: \w+ = ", tagged[0].source, re.MULTILINE), parameter


def test_notebook_has_no_jinja(notebook: Any) -> None:
    assert [cell.id for cell in notebook.cells if "cookiecutter" in cell.source and "{" in cell.source] == []
