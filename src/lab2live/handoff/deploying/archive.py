"""The whole bundle as one file, and how it is read back: an archive may come from anywhere."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from lab2live import files, reproducible
from lab2live.errors import UserError

FILE = "bundle.zip"
# Larger than any bundle; beyond it something is wrong with the archive, or somebody means ill.
MOST_FILES = 2_000
MOST_BYTES = 2 * 2**30


def pack(folder: Path) -> bytes:
    """Pack a bundle into one file: the same bundle, the same bytes."""
    inside = sorted(file for file in folder.rglob("*") if file.is_file())
    return reproducible.zipped({file.relative_to(folder).as_posix(): file.read_bytes() for file in inside})


def write(folder: Path, target: Path) -> Path:
    """Write a bundle as one file."""
    return files.write_bytes(target, pack(folder))


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a bundle into a new or empty folder. What it holds is checked by whoever loads it, against its manifest.

    Nothing is written outside of the folder, no link is made, and no more is written than a bundle may hold.

    Raises
    ------
    UserError
        If it is no archive, or one that no lab2live has written.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = packed.infolist()
            _check(archive, entries)
            for entry in entries:
                target = folder / entry.filename
                target.parent.mkdir(parents=True, exist_ok=True)
                # more than an entry says it holds is never read, and what all of them say was checked
                with packed.open(entry) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file)
    except UserError:
        raise
    # a broken archive fails in many ways, depending on where it is broken
    except Exception as error:
        raise _refused(archive, f"{type(error).__name__}: {error}") from None
    return folder


def _check(archive: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse an archive before anything of it is written."""
    if len(entries) > MOST_FILES:
        raise _refused(archive, f"{len(entries):,} files; a bundle has at most {MOST_FILES:,}")
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise _refused(archive, f"more than {MOST_BYTES // 2**30} GB")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if not _is_inside(name):
            raise _refused(archive, f"a name that leads elsewhere: {name[:100]!r}")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if entry.is_dir() or kind not in (0, stat.S_IFREG):
            raise _refused(archive, f"something that is no file: {name[:100]!r}")
        if entry.flag_bits & 1:
            raise _refused(archive, f"an encrypted file: {name[:100]!r}")
        if name.casefold() in seen:  # on some systems the second would overwrite the first
            raise _refused(archive, f"the same name twice: {name[:100]!r}")
        seen.add(name.casefold())


def _is_inside(name: str) -> bool:
    """Say whether a name is that of a file in the folder, on every system."""
    parts = name.split("/")
    return (
        name.isprintable()
        and not any(mark in name for mark in '\\:*?"<>|')
        and not PurePosixPath(name).is_absolute()
        and not PureWindowsPath(name).is_reserved()
        and all(part.strip(". ") for part in parts)
    )


def _refused(archive: Path, found: str) -> UserError:
    return UserError(
        "This archive is not a bundle.",
        where=archive,
        found=found,
        expected=f"a {FILE} as a run writes it",
        fix="take it again from the run that made it, and compare its SHA-256",
    )
