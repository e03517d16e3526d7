"""The same content, the same bytes: archives without the time of day, and models without addresses of memory."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

# The earliest moment that an archive can hold.
MOMENT = (1980, 1, 1, 0, 0, 0)
MODE = 0o100644
SCHEMA = "schema.json"


def zipped(contents: Mapping[str, bytes]) -> bytes:
    """Pack files into an archive: sorted by name, all of one moment and one mode.

    Not compressed: what a compressor writes differs between its versions, and so between machines.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(contents.items()):
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.external_attr = MODE << 16
            entry.create_system = 3  # as on Linux, whatever this is
            archive.writestr(entry, content)
    return packed.getvalue()


def skops(content: bytes) -> bytes:
    """Write a model that skops saved without what differs between two processes.

    skops names objects, and the files of their arrays, by their address in memory. Here they are numbered in the order
    in which they appear, equal texts and numbers as one: whether Python keeps these once or twice depends on where they
    came from. What is loaded from it is the same.

    Parameters
    ----------
    content
        What `skops.io.dumps` gave.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    numbers: dict[tuple[Any, ...], int] = {}
    names: dict[str, str] = {}

    def renumbered(node: Any) -> Any:
        if isinstance(node, list):
            return [renumbered(one) for one in node]
        if not isinstance(node, dict):
            return node
        told = dict(node)
        if isinstance(node.get("__id__"), int):
            one = (node["__class__"], node["content"]) if node.get("is_json") else (node["__id__"],)
            told["__id__"] = numbers.setdefault(one, len(numbers))
        if isinstance(node.get("file"), str) and node["file"] in parts:
            suffix = PurePosixPath(node["file"]).suffix
            told["file"] = names.setdefault(node["file"], f"{len(names)}{suffix}")
        return {name: value if name in ("__id__", "file") else renumbered(value) for name, value in told.items()}

    schema = json.dumps(renumbered(json.loads(parts[SCHEMA])), indent=2).encode()
    return zipped({SCHEMA: schema, **{name: parts[old] for old, name in names.items()}})
