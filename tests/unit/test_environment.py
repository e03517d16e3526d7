"""environment.py runs where nothing is installed yet: these tests drive the real script in a small copy of the tree."""

import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from types import ModuleType

import pytest

from lab2live import environment

needs_shell = pytest.mark.skipif(os.name == "nt", reason="the stand-ins for uv and python are shell scripts")

LOCK = """\
aiohttp==3.1 \\
    --hash=sha256:aaaa
    # via something
uv==1.2.3 \\
    --hash=sha256:bbbb \\
    --hash=sha256:cccc
    # via -r requirements.in
uvicorn==9.9 \\
    --hash=sha256:dddd
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project with the script, a lock and a pyproject, and nothing installed."""
    root = tmp_path / "a project"
    script = root / "src" / "lab2live" / "environment.py"
    script.parent.mkdir(parents=True)
    shutil.copy(environment.__file__, script)
    (root / "requirements.lock").write_text(LOCK)
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    return root


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The only folder on the PATH of `run`, to put stand-ins into."""
    folder = tmp_path / "programs"
    folder.mkdir()
    return folder


def stand_in(folder: Path, name: str, does: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)


def recording_uv(folder: Path, code: int = 0) -> Path:
    """A uv that notes what it was asked for, and where the log is."""
    log = folder / "uv.log"
    stand_in(folder, "uv", f'[ "$1" = --version ] && echo uv && exit 0\necho "$@" >> "{log}"\nexit {code}')
    return log


def run(tree: Path, programs: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    return subprocess.run(
        [sys.executable, str(tree / "src" / "lab2live" / "environment.py")],
        env=kept | {"PATH": str(programs), "PIP_CONFIG_FILE": os.devnull, **variables},
        capture_output=True,
        text=True,
    )


def loaded(tree: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("environment_of_tree", tree / "src" / "lab2live" / "environment.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_shell
def test_installs_the_lock_with_hashes_then_the_project_without_dependencies(tree: Path, programs: Path) -> None:
    venv.create(tree / ".venv", with_pip=False)
    log = recording_uv(programs)

    done = run(tree, programs)

    assert done.returncode == 0, done.stderr
    first, second = log.read_text().splitlines()
    assert f"--compile-bytecode --require-hashes -r {tree / 'requirements.lock'}" in first
    assert f"--no-deps --no-build-isolation --editable {tree}" in second
    assert "index" not in first + second


@needs_shell
def test_second_call_does_nothing_until_the_lock_changes(tree: Path, programs: Path) -> None:
    venv.create(tree / ".venv", with_pip=False)
    log = recording_uv(programs)
    assert run(tree, programs).returncode == 0
    log.unlink()

    again = run(tree, programs)
    assert (again.returncode, again.stdout, log.exists()) == (0, "", False)

    (tree / "requirements.lock").write_text(LOCK + "# changed\n")
    assert run(tree, programs).returncode == 0
    assert len(log.read_text().splitlines()) == 2


@needs_shell
def test_failed_install_is_explained_and_never_trusted(tree: Path, programs: Path) -> None:
    venv.create(tree / ".venv", with_pip=False)
    recording_uv(programs)
    assert run(tree, programs).returncode == 0
    (tree / "requirements.lock").write_text(LOCK + "# changed\n")
    recording_uv(programs, code=1)

    done = run(tree, programs)

    assert done.returncode == 1
    assert "package index could not be reached" in done.stderr
    assert "UV_DEFAULT_INDEX" in done.stderr
    (tree / "requirements.lock").write_text(LOCK)  # even back at the lock that was installed once
    recording_uv(programs)
    assert "ready in" in run(tree, programs).stdout


@needs_shell
def test_environment_that_was_moved_or_has_no_python_is_built_again(
    tree: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv.create(tree / ".venv", with_pip=False)
    recording_uv(programs)
    assert run(tree, programs).returncode == 0
    moved = tree.rename(tree.with_name("moved"))
    module = loaded(moved)
    created: list[bool] = []
    monkeypatch.setattr(module, "create_venv", lambda: created.append(True))
    monkeypatch.setattr(module, "install_packages", lambda: None)

    module.main()
    assert created == [True]
    module.main()
    assert created == [True]

    module.VENV_PYTHON.unlink()
    module.main()
    assert created == [True, True]


def test_unreachable_index_is_explained(tree: Path, programs: Path) -> None:
    done = run(tree, programs, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0")

    assert done.returncode == 1
    assert "uv could not be installed" in done.stderr
    assert "package index could not be reached" in done.stderr
    assert "PIP_INDEX_URL" in done.stderr
    assert not list((tree / ".venv").glob("installed-from"))


@pytest.mark.parametrize("settings, tries", [("global.index-url='a mirror'", ["uv", "pip", "uv"]), ("", ["uv"])])
def test_pip_is_asked_when_only_pip_knows_the_mirror(
    tree: Path, monkeypatch: pytest.MonkeyPatch, settings: str, tries: list[str]
) -> None:
    module = loaded(tree)
    monkeypatch.setattr(module, "find_uv", lambda: "uv")
    monkeypatch.setattr(module, "output_of", lambda command: settings)
    asked: list[str] = []

    def call(command: list[str]) -> bool:
        asked.append("uv" if command[0] == "uv" else "pip")
        return len(asked) > 1  # only the first call, uv with the lock, fails

    monkeypatch.setattr(module, "call", call)

    if settings:
        module.install_packages()
    else:
        with pytest.raises(SystemExit, match="could not be installed"):
            module.install_packages()
    assert asked == tries


def test_missing_venv_module_names_the_package(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = loaded(tree)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())

    with pytest.raises(SystemExit) as stopped:
        module.main()

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert "`ensurepip` is missing" in str(stopped.value)
    assert "sudo apt install python3-venv" in str(stopped.value)
    assert f"python{version}-venv" in str(stopped.value)
    assert not (tree / ".venv").exists()


@needs_shell
def test_wrong_python_hands_over_to_a_right_one_that_runs(
    tree: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = loaded(tree)
    monkeypatch.setattr(module, "SUPPORTED", ((9, 9), (9, 8)))
    monkeypatch.setenv("PATH", str(programs))
    stand_in(programs, "python9.9", "exit 127")  # a version manager's shim without its Python
    log = programs / "python.log"
    stand_in(programs, "python9.8", f'[ "$1" = -c ] && echo 9 8 && exit 0\necho "$@" > "{log}"\nexit 7')

    with pytest.raises(SystemExit) as stopped:
        module.main()

    assert stopped.value.code == 7
    assert log.read_text().strip() == module.__file__


def test_wrong_python_alone_names_what_to_install(tree: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = loaded(tree)
    monkeypatch.setattr(module, "SUPPORTED", ((9, 9),))
    monkeypatch.setenv("PATH", str(programs))

    with pytest.raises(SystemExit) as stopped:
        module.main()

    assert "needs Python 3.11, 3.12 or 3.13" in str(stopped.value)
    assert f"This is Python {sys.version.split()[0]}" in str(stopped.value)
    assert "sudo apt install python3" in str(stopped.value)


def test_uv_is_cut_out_of_the_lock_with_all_its_hashes() -> None:
    assert environment.uv_requirement(LOCK) == ("uv==1.2.3 \\\n    --hash=sha256:bbbb \\\n    --hash=sha256:cccc\n")
    with pytest.raises(SystemExit, match="does not pin uv"):
        environment.uv_requirement("uvicorn==9.9 \\\n    --hash=sha256:dddd\n")
