"""lab2live itself as a wheel, so that a bundle can be installed without the project: a zip with three files more."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import lab2live
from lab2live.handoff.deploying import reproducible
from lab2live.handoff.deploying.locked import PYTHONS
from lab2live.pipeline import stripping

# The demo's data and package, which no bundle needs.
LEFT_OUT = {"demo", "__pycache__"}
# The notebook that watches over a model, and where it lies in the wheel: beside what executes it.
WATCHING, BESIDE = "05_monitoring.ipynb", "monitoring"
NAME = f"lab2live-{lab2live.__version__}-py3-none-any.whl"


def build() -> bytes:
    """Build it from the files of the lab2live that runs: the same files, the same bytes.

    A wheel, and not a folder of sources: pip installs it in one step, needs nothing to build it and can take it away
    again. It asks for no packages, since the lock beside it names them with their hashes.
    """
    home = Path(lab2live.__file__).parent
    contents = {
        f"{home.name}/{path.relative_to(home).as_posix()}": path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and not LEFT_OUT & set(path.relative_to(home).parts)
    }
    notebook = home.parents[1] / "notebooks" / WATCHING
    if notebook.is_file():
        contents[f"{home.name}/{BESIDE}/{WATCHING}"] = stripping.stripped(notebook.read_text(encoding="utf-8")).encode()
    about = f"lab2live-{lab2live.__version__}.dist-info"
    least, most = PYTHONS[0], PYTHONS[-1].partition(".")
    contents |= {
        f"{about}/METADATA": (
            f"Metadata-Version: 2.1\nName: lab2live\nVersion: {lab2live.__version__}\n"
            f"Requires-Python: >={least},<{most[0]}.{int(most[2]) + 1}\n"
        ).encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: lab2live\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": b"[console_scripts]\nlab2live = lab2live.cli.main:main\n",
    }
    record = [f"{name},sha256={_hash(content)},{len(content)}" for name, content in sorted(contents.items())]
    contents[f"{about}/RECORD"] = ("\n".join([*record, f"{about}/RECORD,,"]) + "\n").encode()
    return reproducible.zipped(contents)


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
