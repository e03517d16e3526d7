"""`runs/latest` is a file with the name of the newest run: whoever names it means that run."""

from __future__ import annotations

from pathlib import Path

LATEST = "latest"


def followed(path: Path) -> Path:
    """Give the run that `runs/latest` names, or any other path as it is."""
    if path.name != LATEST or not path.is_file():
        return path
    name = path.read_text(encoding="utf-8", errors="replace").strip()
    return path.parent / name if name and name.isprintable() else path
