"""Creates the environment of this project: `python3 src/lab2live/environment.py`, which is what `make env` runs.

It runs before anything is installed, so it uses the standard library alone and is written for old Pythons too: someone
on Python 3.8 should read what to install, not a SyntaxError. The project is the folder two levels above this file; the
template's repository and every generated project carry the same file.

Index, mirror and proxy settings stay the user's: pip and uv read them from where they always do.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "installed-from"  # written last: an environment without it is unfinished
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SUPPORTED = ((3, 13), (3, 12), (3, 11))

WRONG_PYTHON = """\
This project needs Python 3.11, 3.12 or 3.13. This is Python {version}, and no other that works was found on the PATH.
Install one of them:
    Debian, Ubuntu   sudo apt install python3 python3-venv      (python3.11 python3.11-venv where the default is older)
    Fedora           sudo dnf install python3.13
    macOS            brew install python@3.13
    Windows          winget install Python.Python.3.13
    anywhere         uv python install 3.13
Then give the same command again."""

NO_VENV = """\
This Python cannot create environments: its module `{module}` is missing.
    Debian, Ubuntu   sudo apt install python3-venv      (or python{version}-venv, for exactly this Python)
    elsewhere        install a complete Python {version}, for example with `uv python install {version}`
Then give the same command again."""

NOT_INSTALLED = """\
{what} could not be installed; the lines above say why. The environment is unfinished and will not be used.
Most often the package index could not be reached:
    behind a proxy    set HTTPS_PROXY=http://host:port
    with a mirror     set PIP_INDEX_URL and UV_DEFAULT_INDEX to the mirror's address
    own certificates  set SSL_CERT_FILE and PIP_CERT to the certificate bundle
    offline           come back with a network; what was already downloaded is not downloaded again
Or the disk is full: the environment needs 1.5 GB in {root}.
Then give the same command again."""


def main() -> None:
    if sys.version_info[:2] not in SUPPORTED:
        python = find_python()
        if python is None:
            stop(WRONG_PYTHON.format(version=".".join(map(str, sys.version_info[:3]))))
        raise SystemExit(subprocess.call([python, __file__]))

    stamp = f"{ROOT}\n{fingerprint()}\n"
    installed = STAMP.read_text(encoding="utf-8") if STAMP.is_file() else ""
    suitable = version_of(str(VENV_PYTHON)) in SUPPORTED
    if suitable and installed == stamp:
        return

    started = time.monotonic()
    # Scripts carry the folder they were installed in: an environment that was moved does not work.
    moved = installed != "" and installed.splitlines()[0] != str(ROOT)
    if not suitable or moved:
        create_venv()
    STAMP.unlink(missing_ok=True)
    install_packages()
    STAMP.write_text(stamp, encoding="utf-8")
    say(f"ready in {time.monotonic() - started:.0f} s: {VENV}")


def fingerprint() -> str:
    """What the environment depends on, as one hash."""
    digest = hashlib.sha256()
    for file in (LOCK, ROOT / "pyproject.toml"):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def find_python() -> str | None:
    """A supported Python on the PATH that really runs: a version manager's shim can be there without its Python."""
    for wanted in SUPPORTED:
        python = shutil.which("python{}.{}".format(*wanted))
        if python and version_of(python) == wanted:
            return python
    return None


def version_of(python: str) -> tuple[int, ...] | None:
    """The version a Python reports, or None when it does not run."""
    out = output_of([python, "-c", "import sys; print(*sys.version_info[:2])"])
    return tuple(map(int, out.split())) if out else None


def create_venv() -> None:
    version = "{}.{}".format(*sys.version_info)
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            stop(NO_VENV.format(module=module, version=version))
    say(f"creating {VENV.name} with Python {version} ...")
    if not call([sys.executable, "-m", "venv", "--clear", str(VENV)]):
        stop(f"{VENV} could not be created; the lines above say why.")


def install_packages() -> None:
    install = [find_uv(), "pip", "install", "--python", str(VENV_PYTHON)]

    say("installing the packages of requirements.lock ...")
    # Bytecode is compiled now, once: where PYTHONDONTWRITEBYTECODE is set, every kernel would compile pandas again.
    locked = ["--require-hashes", "-r", str(LOCK)]
    done = call([*install, "--compile-bytecode", *locked])
    if not done and "index-url" in output_of([str(VENV_PYTHON), "-m", "pip", "config", "list"]):
        say("uv could not, but pip has an index in its own settings: trying pip, which takes minutes ...")
        # the lock names everything already, and an older pip stops at a package with an extra beside hashes
        done = call([str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--no-deps", *locked])
    if not done:
        stop(NOT_INSTALLED.format(what="The packages of requirements.lock", root=ROOT))

    # pip and uv refuse a folder beside hashes, so the project itself comes second. The lock holds its build backend.
    say("installing this project ...")
    if not call([*install, "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]):
        stop("This project could not be installed into its environment; the lines above say why.")


def find_uv() -> str:
    """uv installs the lock in seconds where pip takes minutes: the user's own, else the one the lock pins."""
    uv = shutil.which("uv")
    if uv and output_of([uv, "--version"]):
        return uv
    say("installing uv ...")
    with tempfile.TemporaryDirectory() as folder:
        requirement = Path(folder) / "uv.txt"
        requirement.write_text(uv_requirement(LOCK.read_text(encoding="utf-8")), encoding="utf-8")
        pip = [str(VENV_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if not call([*pip, "--require-hashes", "--no-deps", "-r", str(requirement)]):
            stop(NOT_INSTALLED.format(what="uv", root=ROOT))
    return str(VENV_PYTHON.with_name("uv"))


def uv_requirement(lock: str) -> str:
    """The lines of the lock that pin uv, with its hashes."""
    found = re.search(r"^uv==(?:.*\\\n)*.*", lock, re.MULTILINE)
    if found is None:
        stop("requirements.lock does not pin uv: put `uv` back into requirements.in and renew the lock (`make lock`).")
    return found.group() + "\n"


def output_of(command: list[str]) -> str:
    """What a command prints, or nothing when it fails or is not there."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def call(command: list[str]) -> bool:
    """Runs a command in the project's folder, its output shown, and says whether it succeeded."""
    return subprocess.call(command, cwd=ROOT) == 0


def say(line: str) -> None:
    print(f"[environment] {line}", flush=True)


def stop(message: str) -> NoReturn:
    raise SystemExit("\n" + message)


if __name__ == "__main__":
    main()
