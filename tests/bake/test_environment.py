"""`make env` in a generated project: what it installs, with which tool, and what it says where it cannot."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import git
from .test_bake import wheel_of

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


def make(project, target, folder, *words, **variables):
    """Run make with a PATH of its own: the shell's tools, and the stand-ins that lie in a folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    path = os.pathsep.join([str(folder), "/usr/bin", "/bin"])
    return subprocess.run(
        ["make", target, *words], cwd=project, env=kept | {"PATH": path, **variables}, capture_output=True, text=True
    )


@pytest.fixture
def tools(tmp_path):
    """A folder with a `python3`, whose environments hold programs that note how they are called."""
    folder = tmp_path / "tools"
    folder.mkdir()
    stand_in(
        folder / "python3",
        f'[ "$2" = venv ] || exec "{sys.executable}" "$@"\nmkdir -p .venv/bin\n'
        f'for name in python lab2live uv; do cp "{folder}/noted" .venv/bin/$name; done\n',
    )
    stand_in(folder / "noted", f'echo "$(basename $0) $*" >> "{folder}/calls"')
    return folder


def stand_in(path, does):
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)


def calls(tools):
    found = (tools / "calls").read_text().splitlines() if (tools / "calls").exists() else []
    (tools / "calls").unlink(missing_ok=True)
    return found


LOCKS = "--require-hashes -r requirements.lock -r requirements-own.lock"


def test_uv_of_the_path_installs_both_locks_with_hashes_and_then_the_table_is_looked_at(bake, tools):
    project = bake()
    stand_in(tools / "uv", (tools / "noted").read_text().splitlines()[1])
    done = make(project, "env", tools)
    assert done.returncode == 0, done.stderr
    assert calls(tools) == [f"uv pip install -q --python .venv/bin/python --compile-bytecode {LOCKS}", "lab2live init"]
    assert make(project, "env", tools).returncode == 0 and calls(tools) == [], "nothing to do"
    own = project / "requirements-own.lock"
    os.utime(own, (own.stat().st_atime, (project / ".venv/installed").stat().st_mtime + 5))
    assert make(project, "env", tools).returncode == 0 and len(calls(tools)) == 2, "until a lock changes"
    moved = project.rename(project.with_name("moved"))
    (moved / ".venv/bin/old").touch()
    assert make(moved, "env", tools).returncode == 0 and len(calls(tools)) == 2, "scripts carry the folder's name"


def test_without_uv_the_pinned_one_is_installed_with_its_hashes(bake, tools):
    project = bake()
    assert make(project, "env", tools).returncode == 0
    first, second, _ = calls(tools)
    assert first == "python -m pip install -q --require-hashes --no-deps -r .venv/uv.txt"
    assert second.startswith("uv pip install")
    lock = (project / "requirements.lock").read_text(encoding="utf-8")
    pinned = re.search(r"^uv==(?:.*\\\n)*.*", lock, re.M)[0]
    assert (project / ".venv/uv.txt").read_text() == f"{pinned}\n" and pinned.count("--hash") > 5


def test_where_uv_fails_pip_is_tried_and_where_both_do_nothing_is_called_installed(bake, tools):
    project = bake()
    stand_in(tools / "uv", "exit 1")
    assert make(project, "env", tools).returncode == 0
    assert calls(tools)[0] == f"python -m pip install -q --no-deps {LOCKS}"
    shutil.rmtree(project / ".venv")
    stand_in(tools / "noted", "exit 1")
    assert make(project, "env", tools).returncode == 2
    assert not (project / ".venv/installed").exists()


def test_a_table_that_cannot_be_read_yet_is_no_reason_to_have_no_environment(bake, tools):
    project = bake(environment="pip")
    stand_in(tools / "noted", '[ "$(basename $0)" = python ]')
    done = make(project, "env", tools)
    assert done.returncode == 0
    assert "Once the table can be read: .venv/bin/lab2live init" in done.stdout


@pytest.mark.parametrize("environment", ["uv", "pip"])
def test_another_python_is_told_what_to_install(bake, tools, environment):
    project = bake(environment=environment)
    stand_in(tools / "python3", "exit 1")
    done = make(project, "env", tools)
    assert done.returncode == 2
    assert "3.11, 3.12 or 3.13" in done.stdout and "apt install python3 python3-venv" in done.stdout
    assert not (project / ".venv").exists()


def test_an_installed_wheel_gives_the_same_wheel_again(bake, environment, tmp_path):
    project = bake()
    scripts = environment(project)
    code = (
        "import pathlib, sys, lab2live; from lab2live import wheel; name, content = wheel.build();"
        "pathlib.Path(name).write_bytes(content); print(lab2live.__version__, lab2live.__file__)"
    )
    done = subprocess.run([scripts / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    version, file = done.stdout.split()
    assert Path(file).is_relative_to(project / ".venv")
    assert wheel_of(project).name == f"lab2live-{version}-py3-none-any.whl"
    assert (tmp_path / wheel_of(project).name).read_bytes() == wheel_of(project).read_bytes()


def test_another_content_is_another_version(bake, repository, tmp_path):
    shutil.copytree(repository, tmp_path / "lab2live")
    with (tmp_path / "lab2live/src/lab2live/charter/__init__.py").open("a") as file:
        file.write("\nNEW = True\n")
    assert wheel_of(bake(template=tmp_path / "lab2live")).name != wheel_of(bake()).name


def test_the_wheel_declares_what_the_library_imports_as_ranges(bake, environment):
    project = bake()
    scripts = environment(project)
    code = "from importlib import metadata; print(*metadata.requires('lab2live'), sep='\\n')"
    done = subprocess.run([scripts / "python", "-c", code], cwd=project, capture_output=True, text=True, check=True)
    names = {re.split(r"[<>=\[; ]", line)[0] for line in done.stdout.splitlines()}
    assert {"pandas", "scikit-learn", "ibis-framework", "papermill", "typer"} < names
    assert not {"jupyterlab", "pytest", "cruft", "uv", "pre-commit"} & names, "what a project needs besides"
    assert "==" not in done.stdout


# What conda hands to pip: the two lines of environment.yml as a file beside it, run from there, dependencies checked.
WAYS = {
    "uv": [
        "uv",
        "pip",
        "install",
        "--dry-run",
        "--require-hashes",
        "-r",
        "requirements.lock",
        "-r",
        "requirements-own.lock",
    ],
    "pip": ["python", "-m", "pip", "install", "--dry-run", "--no-deps", *LOCKS.split()],
    "conda": ["python", "-m", "pip", "install", "--dry-run", "-U", "-r", "condaenv.requirements.txt"],
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_tool_resolves_the_locks_of_a_project_with_packages_of_its_own(bake, run, way):
    """conda itself is not run: its pip section is, as conda would."""
    project = bake(environment=way)
    (project / "requirements-own.in").write_text("lightgbm>=4\n")
    lock = ["-c", "requirements.lock", "-o", "requirements-own.lock", "requirements-own.in"]
    made = run(
        "uv", "pip", "compile", "-q", "--universal", "--generate-hashes", "--python-version", "3.11", *lock, cwd=project
    )
    assert made.returncode == 0, made.stderr
    described = (project / "environment.yml").read_text(encoding="utf-8")
    section = re.findall(r"^      - (.*)$", described, re.M)
    (project / "condaenv.requirements.txt").write_text("\n".join(section) + "\n")
    if way == "conda":
        assert section == ["-r requirements.lock", "-r requirements-own.lock"]
    # asked of an empty environment, so that everything has to be found
    subprocess.run([sys.executable, "-m", "venv", project / ".venv"], check=True)
    command = WAYS[way]
    if command[0] == "python":
        command = [project / ".venv/bin/python", *command[1:]]
        upgrade = [*command[:3], "install", "-q", "--disable-pip-version-check", "pip>=24"]
        subprocess.run(upgrade, cwd=project, check=True)
    else:
        command = [Path(sys.executable).parent / "uv", *command[1:], "--python", project / ".venv"]
    done = subprocess.run([*map(str, command)], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    version = wheel_of(project).name.split("-")[1]
    said = done.stdout + done.stderr
    assert re.search(rf"lab2live[=-]+{re.escape(version)}", said) and "lightgbm" in said


def test_hooks_and_filter_work_where_the_project_is_a_folder_of_a_larger_repository(bake, environment, tmp_path):
    git("init", "--quiet", cwd=tmp_path)
    project = bake(tmp_path / "two teams")
    environment(project)
    done = subprocess.run(["make", "hooks"], cwd=project, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (config,) = (tmp_path / ".git").glob("*.yaml")
    assert "\nfiles: ^two teams/telecom-churn/ " in config.read_text(encoding="utf-8")
    assert (tmp_path / ".git/hooks/pre-commit").is_file()
    notebook = project / "notebooks/99_probe.ipynb"
    before = notebook.read_text(encoding="utf-8")
    ran = json.loads(before)
    ran["cells"][1] |= {"execution_count": 1, "outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}]}
    notebook.write_text(json.dumps(ran), encoding="utf-8")
    git("add", "--all", cwd=tmp_path)
    assert git("show", f":{notebook.relative_to(tmp_path).as_posix()}", cwd=tmp_path) == before, "without its outputs"
