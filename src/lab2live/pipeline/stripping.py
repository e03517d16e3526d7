"""Notebooks as sources: without outputs, counts, and whatever an editor or another Python leaves in them.

`python3 src/lab2live/pipeline/stripping.py NOTEBOOK...` strips files in place (before a commit); with `-` it reads one
notebook from its input and writes it to its output, which is how git calls it. It runs where nothing is installed, so
it uses the standard library alone. What it writes is what Jupyter would write, and stripping twice changes nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# What Jupyter, VS Code and papermill note about how a cell was last run or looked at.
NOISE = ("collapsed", "ExecuteTime", "execution", "jukit_cell_id", "papermill", "scrolled", "vscode")
INJECTED = "injected-parameters"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python"}


def stripped(text: str) -> str:
    """Give the same notebook as if it had never run.

    Parameters
    ----------
    text
        What a notebook file holds. What is no notebook, such as one with conflict marks, comes back as it is: it is not
        for this function to complain.
    """
    try:
        notebook = json.loads(text)
    except ValueError:
        return text
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        return text
    notebook["cells"] = [cell for cell in notebook["cells"] if not _is_injected(cell)]
    for cell in notebook["cells"]:
        _strip(cell)
    metadata = notebook.get("metadata", {})
    kept = {name: value for name, value in metadata.items() if name not in (*NOISE, "widgets")}
    notebook["metadata"] = {**kept, "kernelspec": KERNEL, "language_info": LANGUAGE}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _is_injected(cell: dict[str, Any]) -> bool:
    return INJECTED in ((cell.get("metadata") or {}).get("tags") or ())


def _strip(cell: dict[str, Any]) -> None:
    if cell.get("cell_type") == "code":
        cell.update(outputs=[], execution_count=None)
    cell["metadata"] = {name: value for name, value in (cell.get("metadata") or {}).items() if name not in NOISE}


def _stripped_bytes(content: bytes) -> bytes:
    text = content.decode("utf-8-sig")  # an editor may have put a mark before it
    after = stripped(text)
    return content if after == text else after.encode("utf-8")


def main(arguments: list[str]) -> None:
    if arguments == ["-"]:
        sys.stdout.buffer.write(_stripped_bytes(sys.stdin.buffer.read()))
        return
    for path in map(Path, arguments):
        before = path.read_bytes()
        after = _stripped_bytes(before)
        if after != before:
            path.write_bytes(after)
            print(f"stripped {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
