"""Every combination of answers that makes a difference: exactly the files it should have, whole, and without braces."""

import itertools
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT, run_own_tests
from .test_bake import CI_FILES, NOTE, PACKAGE_FILES, ROOT_FILES, texts, tree, wheel_of

DATA = {
    "demo": {},
    "classes": {"data_source": "file", "data_path": "kinds.csv", "target": "kind"},
    "number": {"data_source": "file", "data_path": "visits.csv", "target": "visits", "problem_type": "regression"},
    "address": {"data_source": "file", "data_path": "https://example.org/a.csv", "target": "y"},
    "sql": {"data_source": "sql", "data_path": "postgresql://me:${DB_PASSWORD}@host/sales", "target": "y"},
    "sql number": {
        "data_source": "sql",
        "data_path": "sqlite:///a.db",
        "target": "y",
        "problem_type": "regression",
    },
    "simulate": {"data_source": "simulate"},
    "simulate number": {"data_source": "simulate", "problem_type": "regression"},
}
OUT_OF_REACH = ("classes", "number", "sql", "sql number")
OWNERS = ("", "Jane Doe", "@octo-org/data", "jane@example.org")
LICENSES = {"MIT": "MIT License", "BSD-3-Clause": "BSD 3-Clause", "Apache-2.0": "Apache", "Proprietary": "All rights"}


@pytest.fixture(scope="module")
def matrix(bake, tables):
    """A project per combination of data, environment and CI server; owners and licences take turns."""
    turns = itertools.cycle(itertools.product(OWNERS, LICENSES))
    projects = {}
    choices = [*itertools.product(("uv", "conda", "pip"), ("github", "gitlab", "none"))]
    for place, (data, (environment, ci)) in enumerate(itertools.product(DATA, choices)):
        # a table is looked at only as often as there are tools and servers, which know nothing of each other
        if data in ("classes", "number") and place % 4:
            continue
        author, licence = next(turns)
        answers = {**DATA[data], "environment": environment, "ci": ci, "author": author, "license": licence}
        if answers.get("data_path", "").endswith("s.csv"):
            answers["data_path"] = f"{tables}/{answers['data_path']}"
        project = bake(**answers, package_name="p_" + data.replace(" ", "_"))
        projects[data, environment, ci] = project, author, licence
    return projects


def test_every_combination_has_exactly_its_files(matrix, repository):
    notebooks = [path.name for path in (repository / "notebooks").glob("*.ipynb")]
    for (data, _, ci), (project, author, _) in matrix.items():
        (package,) = (path.name for path in (project / "src").iterdir())
        expected = {*ROOT_FILES, *CI_FILES[ci], *(f"notebooks/{name}" for name in notebooks)}
        expected |= {f"vendor/{wheel_of(project).name}"}
        expected |= {f"src/{package}/{name}.py" for name in PACKAGE_FILES}
        expected |= {f"tests/reference/{name}" for name in notebooks} if data == "demo" else set()
        expected |= {"CODEOWNERS"} if "@" in author and ci != "none" else set()
        expected |= {NOTE} if data in ("address", "sql", "sql number") else set()
        assert set(tree(project)) == expected, project
        empty = [path for path in project.rglob("*") if path.is_dir() and not any(path.iterdir())]
        assert empty == [], project


def test_every_combination_is_whole(matrix):
    for (data, environment, ci), (project, author, licence) in matrix.items():
        found = texts(project)
        for name, text in found.items():
            assert not re.search(r"\{\{ ?cookiecutter|\{%|%\}|\{#", text), (project, name)
            assert "{{" not in text.replace("${{", ""), (project, name)
            assert text == "" or (text.endswith("\n") and not text.endswith("\n\n")), (project, name)
            assert not re.search(r"[ \t]+$", text, re.MULTILINE), (project, name)
        assert tomllib.loads(found["pyproject.toml"])["project"]["name"] == project.name
        assert (
            json.loads(found[".devcontainer/devcontainer.json"])["postCreateCommand"]
            == "make env && { make hooks || true; }"
        )
        for name in (name for name in found if name.endswith((".yml", ".yaml"))):
            yaml.safe_load(found[name])
        assert LICENSES[licence] in found["LICENSE"]
        if "CODEOWNERS" in found:
            assert found["CODEOWNERS"].splitlines()[-1] == f"* {author}"
        for name in CI_FILES[ci] - {"ci/monitor.sh", ".github/workflows/monitoring.yml"}:
            assert ("LAB2LIVE_SOURCES: simulated" in found[name]) is (data in OUT_OF_REACH), name
            assert ("conda" in found[name]) is (environment == "conda"), name


def test_the_own_tests_of_every_combination_pass_right_away(matrix, run, tmp_path):
    first = {}
    for (data, _, _), (project, _, _) in matrix.items():
        first.setdefault(data, project)
    for (data, _, _), (project, _, _) in matrix.items():
        code = {name: text for name, text in tree(project).items() if name.endswith(".py")}
        assert code == {name: text for name, text in tree(first[data]).items() if name.endswith(".py")}, project
    assert run_own_tests(run, list(first.values()), tmp_path) == 9 * len(first) + 1


def test_plain_commands_and_make_are_those_of_the_chosen_environment(matrix):
    tools = {"uv": "--compile-bytecode", "conda": "conda env create", "pip": "pip install --no-deps"}
    for (_, environment, _), (project, _, _) in matrix.items():
        for name in ("README.md", "Makefile"):
            text = (project / name).read_text(encoding="utf-8")
            assert [tool for tool in tools if tools[tool] in text] == [environment], (project, name)


def test_what_a_readme_links_to_is_there(matrix):
    for project, _, _ in matrix.values():
        links = re.findall(r"\]\(([^)#]+)\)", (project / "README.md").read_text(encoding="utf-8"))
        assert len(links) > 5
        assert [link for link in links if "://" not in link and not (project / link).is_file()] == []


def test_data_stay_out_of_git(matrix):
    project, _, _ = matrix["sql", "uv", "github"]
    kept = [
        "data/README.md",
        "src/a.py",
        "notebooks/a.ipynb",
        "tests/small.csv",
        "vendor/a.whl",
        ".pre-commit-config.yaml",
    ]
    out = ["data/a.csv", "data/deep/a.txt", "export.parquet", "src/b.xlsx", "a.db", ".env", "runs/1/index.html"]
    out += [".venv/bin/x", "tests/__pycache__/x.pyc", "monitoring/index.html", "notebooks/.ipynb_checkpoints/a.ipynb"]
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", *kept, *out], cwd=project, capture_output=True, text=True
    ).stdout
    assert asked.splitlines() == out


def test_only_the_template_and_what_is_about_it_speaks_its_language():
    """Jinja stays in template/; tests, docs and instructions may quote it, code and notebooks may not."""
    mine = {*ROOT.glob("src/**/*.py"), *ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("*.*"), ROOT / "Makefile"}
    pages = re.compile(r"\.j2$")
    for path in (path for path in mine if path.is_file() and not pages.search(path.name)):
        assert not re.search(r"\{\{ ?cookiecutter|\{%", path.read_text(encoding="utf-8", errors="replace")), path


def test_the_files_of_a_workflow_have_no_absolute_path_of_this_machine(matrix):
    home = Path.home().as_posix()
    for project, _, _ in matrix.values():
        for name, content in tree(project).items():
            if name.startswith((".", "ci/", "Makefile", "README")):
                assert home not in content.decode(), (project, name)
