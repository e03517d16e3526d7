"""Schemes of addresses beyond files, URLs and databases: who knows where their data lie registers it here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab2live.charter.schema import Charter, Source

# Scheme, as in `demo://`, -> what gives the file of a source, making or fetching it first.
FILES: dict[str, Callable[[Charter, Source], Path]] = {}


def register(scheme: str, file_of: Callable[[Charter, Source], Path]) -> None:
    """Let addresses of one scheme be read from the file that a function gives."""
    FILES[scheme] = file_of
