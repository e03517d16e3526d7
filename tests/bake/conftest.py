"""A clone of the working tree to bake from, and tables with names that somebody, somewhere, gave to a column."""

import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("template", "src", "notebooks")
FILES = ("cookiecutter.json", "pyproject.toml", "requirements.in", "requirements.lock", ".gitignore", ".gitattributes")

HOSTILE = {
    "project_name": """Tom & "Jerry's" 😀 <b>#1</b>: \\ 100% '''x''' \"\"\"y\"\"\"""",
    "business_problem": 'What: is \'it\' worth? \\n """ # - [x] {y} & 日本 \u2028 \x85 end',
    "author": 'O\'Neil \\ "the" 😀',
    "organisation": "Åß: & Söhne # <script>alert(1)</script>",
    "customer_experience": "yes: - no # \"quoted\" \\ '''",
    "return_on_investment": "*anchor &ref !tag %x @y `z`",
    "process_improvement": "\ttabs and\nlines",
}
TARGET, IDENTIFIER, MOMENT = "left? \"yes\"/'no'", "user id", "été"


def git(*arguments, cwd):
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True, text=True)
    return done.stdout


def commit(folder):
    """Commit everything in a folder, which becomes a repository if it is none."""
    if not (folder / ".git").exists():
        git("init", "--quiet", "--initial-branch=main", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message=state", cwd=folder)


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    """The template as a user gets it: what git tracks, and one more notebook that has outputs to strip."""
    folder = tmp_path_factory.mktemp("template") / "lab2live"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".ipynb_checkpoints")
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=ignored)
    for file in FILES:
        shutil.copyfile(ROOT / file, folder / file)
    write_notebook(folder / "notebooks" / "99_probe.ipynb")
    commit(folder)
    return folder


def write_notebook(path):
    path.parent.mkdir(exist_ok=True)
    output = {"output_type": "stream", "name": "stdout", "text": ["1 😀\n"]}
    cells = [
        {"cell_type": "markdown", "id": "probe-01", "metadata": {}, "source": ["# Größe\n", "and more"]},
        {
            "cell_type": "code",
            "id": "probe-02",
            "metadata": {"tags": ["nbval-check-output"]},
            "execution_count": 1,
            "outputs": [output],
            "source": ['print(1, "😀")'],
        },
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python", "version": "3.11.2"}}
    notebook = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


@pytest.fixture(scope="session")
def config(tmp_path_factory):
    """cookiecutter's own files go into a temporary folder, and nobody's personal defaults come out of one."""
    folder = tmp_path_factory.mktemp("config")
    file = folder / "config.yaml"
    file.write_text(f"cookiecutters_dir: {folder}/clones/\nreplay_dir: {folder}/replay/\n", encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def bake(repository, config, tmp_path_factory):
    """Generate a project in a folder of its own; returns the project's folder."""

    def bake(output=None, template=repository, directory=None, **answers):
        project = cookiecutter(
            str(template),
            no_input=True,
            extra_context=answers,
            output_dir=str(output or tmp_path_factory.mktemp("output")),
            config_file=str(config),
            directory=directory,
        )
        return Path(project)

    return bake


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    """Three tables: hostile names with two classes, a number to predict, three classes."""
    folder, chance = tmp_path_factory.mktemp("data"), random.Random(0)

    def write(name, header, rows):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)

    signal = [chance.random() for _ in range(1500)]
    # a Parquet file, as no CSV reader agrees with another on a header line with a line break in it
    pd.DataFrame(
        {
            IDENTIFIER: range(len(signal)),
            "líne\nbreak": [chance.choice(["a;b", None, "NA"]) for _ in signal],
            "a\\b": [chance.random() for _ in signal],
            "{{ cookiecutter.x }} {% if": signal,
            '"': [n % 7 for n in range(len(signal))],
            MOMENT: [f"2026-01-{n % 28 + 1:02d}" for n in range(len(signal))],
            TARGET: [["no", "yes"][x > 0.8] for x in signal],
        }
    ).to_parquet(folder / "hostile.parquet")
    write("visits.csv", ["age", "noise", "visits"], [[x, chance.random(), 10 * x] for x in signal])
    write("kinds.csv", ["age", "flag", "kind"], [[x, 1, int(3 * x) + 1] for x in signal])
    return folder


@pytest.fixture(scope="session")
def projects(bake, tables):
    """One project per branch of the template."""
    hostile = {"target": TARGET, "id_column": IDENTIFIER, "time_column": MOMENT}
    kinds = {"data_source": "file", "data_path": f"{tables}/kinds.csv", "target": "kind"}
    address = "postgresql://me:${DB_PASSWORD}@host/sales"
    return {
        "demo": bake(),
        "hostile": bake(
            data_source="file", data_path=f"{tables}/hostile.parquet", package_name="h", **hostile, **HOSTILE
        ),
        "regression": bake(
            data_source="file",
            data_path=f"{tables}/visits.csv",
            target="visits",
            problem_type="regression",
            package_name="r",
            environment="pip",
            ci="gitlab",
            license="Proprietary",
        ),
        "classes": bake(**kinds, package_name="k", ci="none"),
        "sql": bake(data_source="sql", data_path=address, target="y", package_name="q", environment="conda"),
        "simulate": bake(data_source="simulate", package_name="s", problem_type="regression", license="Apache-2.0"),
    }


@pytest.fixture(scope="session")
def run(config):
    """Run a command of the environment the tests run in, and return what it did."""
    bin_folder = Path(sys.executable).parent
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "COOKIECUTTER_CONFIG": str(config)}

    def run(*command, cwd, input="", **variables):
        return subprocess.run(
            [str(bin_folder / command[0]), *map(str, command[1:])],
            cwd=cwd,
            input=input,
            env=environment | variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
        )

    return run


def run_own_tests(run, projects, folder):
    """Run the tests of many projects in one process: together they take as long as one alone.

    Returns how many passed; none may fail, and a project without references has to say so.
    """
    (folder / "none.toml").touch()
    options = [
        "-q",
        "-rs",
        "--import-mode=importlib",
        "-p",
        "no:cacheprovider",
        "-c",
        folder / "none.toml",
        "--rootdir",
        "/",
    ]
    files = [project / "tests/test_package.py" for project in projects]
    sources = os.pathsep.join(str(project / "src") for project in projects)
    done = run("python", "-m", "pytest", *options, *files, cwd=folder, PYTHONPATH=sources)
    assert done.returncode == 0, done.stdout
    assert "NOTHING IS COMPARED: no reference outputs yet" in done.stdout
    return int(re.search(r"(\d+) passed", done.stdout)[1])
