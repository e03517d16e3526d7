"""lab2live itself as a wheel: what a project installs, and what its bundles bring along.

The bake runs this file where nothing is installed, so it uses the standard library alone. The same files give the same
bytes, on every system, from a checkout and from an installed wheel. The version carries the hash of the content: pip
keeps an installed wheel of equal version, whatever is in the new one.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import metadata
from pathlib import Path

from lab2live import reproducible

PACKAGE = Path(__file__).resolve().parent
NOTEBOOKS = "notebooks"
# Down to this mark, requirements.in is what the library needs.
MARK = "# --- of a project"
PYTHONS = ("3.11", "3.12", "3.13")
# What Jupyter, VS Code and papermill note about how a cell was last run or looked at.
NOISE = ("collapsed", "ExecuteTime", "execution", "papermill", "scrolled", "vscode")
# What JupyterLab writes, so that opening a notebook changes nothing.
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def build() -> tuple[str, bytes]:
    """Give the name and the content of the wheel of the lab2live that runs."""
    contents, about = _contents()
    version = _version(contents, about)
    info = f"lab2live-{version}.dist-info"
    requires = "".join(f"Requires-Dist: {one}\n" for one in about[1:])
    after = f"3.{int(PYTHONS[-1].split('.')[1]) + 1}"
    contents |= {
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: lab2live\nVersion: {version}\n"
            f"Requires-Python: >={PYTHONS[0]},<{after}\n{requires}"
        ).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: lab2live\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": b"[console_scripts]\nlab2live = lab2live.cli.main:main\n",
    }
    record = [f"{name},sha256={_hash(content)},{len(content)}" for name, content in sorted(contents.items())]
    contents[f"{info}/RECORD"] = ("\n".join([*record, f"{info}/RECORD,,"]) + "\n").encode()
    return f"lab2live-{version}-py3-none-any.whl", reproducible.zipped(contents)


def version() -> str:
    """Give the version of the lab2live that runs, the hash of its content included."""
    return _version(*_contents()) if _root() else metadata.version("lab2live")


def stripped(text: str) -> str:
    """Give a notebook as if it had never run, as nbformat would write it and nbstripout would leave it."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
        cell["metadata"] = {name: value for name, value in cell["metadata"].items() if name not in NOISE}
    notebook["metadata"] = {"kernelspec": KERNEL}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _root() -> Path | None:
    """Find the checkout this file lies in, or `None` where lab2live was installed from a wheel."""
    root = PACKAGE.parents[1]
    return root if (root / "cookiecutter.json").is_file() and (root / "requirements.in").is_file() else None


def _contents() -> tuple[dict[str, bytes], list[str]]:
    """Read the files of the package, and what its metadata say: the version without a hash, then the dependencies."""
    contents = {
        f"{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes().replace(b"\r\n", b"\n")
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    root = _root()
    if root is None:
        installed = metadata.distribution("lab2live")
        return contents, [installed.version.partition("+")[0], *(installed.requires or ())]
    for notebook in (root / NOTEBOOKS).glob("[!.]*.ipynb"):
        text = stripped(notebook.read_text(encoding="utf-8"))
        contents[f"{PACKAGE.name}/{NOTEBOOKS}/{notebook.name}"] = text.encode()
    plain = re.search(r'(?m)^version = "(.+)"', (root / "pyproject.toml").read_text(encoding="utf-8"))
    assert plain is not None
    lines = (root / "requirements.in").read_text(encoding="utf-8").partition(MARK)[0].splitlines()
    needed = [line.partition("#")[0].strip() for line in lines]
    return contents, [plain[1], *filter(None, needed)]


def _version(contents: dict[str, bytes], about: list[str]) -> str:
    digest = hashlib.sha256("\n".join(about).encode())
    for name, content in sorted(contents.items()):
        digest.update(f"\n{name} {len(content)}\n".encode() + content)
    told = digest.hexdigest()
    # eight digits without a letter would be read as a number, and lose their leading zeros
    short = next(part for part in (told[at : at + 8] for at in range(len(told))) if not part.isdigit())
    return f"{about[0]}+{short}"


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
