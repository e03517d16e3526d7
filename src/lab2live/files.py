"""Writing files so that a reader, or a crash in the middle, never sees half of one."""

from __future__ import annotations

import json
import tempfile
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic_core import to_jsonable_python

from lab2live.errors import UserError

if TYPE_CHECKING:
    import pandas as pd


def write_bytes(path: Path, content: bytes) -> Path:
    """Write through a temporary file beside the target and move it there, which is atomic on one file system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)  # gone already, unless something stopped the writing
    return path


def write_text(path: Path, content: str) -> Path:
    """Write UTF-8 with `\\n` line ends on every system, atomically."""
    # half a character may come with broken data, and no encoder takes it
    return write_bytes(path, content.encode("utf-8", "replace"))


def write_json(path: Path, content: Any) -> Path:
    """Write JSON that any reader takes: NaN and infinity become null, numpy numbers become numbers."""
    return write_text(path, json.dumps(plain(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, frame: pd.DataFrame) -> Path:
    """Write a table that people will open in a spreadsheet: no text in it is taken for a formula there."""
    return write_text(path, frame.rename(columns=no_formula).map(no_formula).to_csv(index=False, lineterminator="\n"))


def no_formula(value: Any) -> Any:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def read_json(path: Path) -> Any:
    """Read JSON, or say which file is broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError("A file of the run cannot be read.", where=path, found=error, fix="run it again") from None


def plain(value: Any) -> Any:
    """Turn whatever a notebook finds into what JSON knows.

    pydantic does it for single values; what it does otherwise is done here: sets have the same order in every process,
    and what numpy and pandas hold are numbers, dates and null.
    """
    if is_dataclass(value) and not isinstance(value, type):
        value = {item.name: getattr(value, item.name) for item in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(item) for item in items]
    if hasattr(value, "tolist"):
        times = isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "M"  # finer ones become bare numbers
        return plain((value.astype("datetime64[us]") if times else value).tolist())
    if hasattr(value, "isoformat"):  # pandas' own kinds of missing have it, too
        return value.isoformat() if value == value else None
    missing = type(value).__name__ == "NAType"
    return None if missing else to_jsonable_python(value, inf_nan_mode="null", bytes_mode="base64", fallback=str)
