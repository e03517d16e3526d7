"""An archive may come from anywhere: what is no bundle is refused, and nothing is written outside of the folder."""

from __future__ import annotations

import io
import stat
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab2live import reproducible
from lab2live.cli import main
from lab2live.errors import UserError
from lab2live.handoff.deploying import archive


def packed(*entries: tuple[str | zipfile.ZipInfo, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(content, "w", how) as file:
        warnings.simplefilter("ignore")  # the same name twice
        for name, data in entries:
            file.writestr(name, data)
    return content.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def lying(content: bytes) -> bytes:
    """Let an entry say that it holds less than it does, in both places that say it."""
    size = (1_000_000).to_bytes(4, "little")
    assert content.count(size) >= 2
    return content.replace(size, (10).to_bytes(4, "little"))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "up": lambda: packed(("../outside", b"x")),
    "up in the middle": lambda: packed(("a/../../outside", b"x")),
    "absolute": lambda: packed(("/tmp/outside", b"x")),
    "backslash": lambda: packed(("..\\outside", b"x")),
    "drive": lambda: packed(("C:outside", b"x")),
    "device": lambda: packed(("a/NUL", b"x")),
    "empty part": lambda: packed(("a//b", b"x")),
    "dots": lambda: packed(("a/. ./b", b"x")),
    "control character": lambda: packed(("a\x1bb", b"x")),
    "link": lambda: packed((link("a"), b"/etc/passwd")),
    "folder": lambda: packed(("a/", b"")),
    "twice": lambda: packed(("a", b"1"), ("a", b"2")),
    "twice but for case": lambda: packed(("a", b"1"), ("A", b"2")),
    "file and folder": lambda: packed(("a", b"1"), ("a/b", b"2")),
    "too many": lambda: packed(*((f"f{number}", b"") for number in range(archive.MOST_FILES + 1))),
    "more than it says": lambda: lying(packed(("a", b"0" * 1_000_000), how=zipfile.ZIP_DEFLATED)),
    "cut short": lambda: packed(("a", b"x" * 1000))[:-40],
    "changed": lambda: packed(("a", b"x" * 1000)).replace(b"xxxx", b"xxxy", 1),
    "no archive": lambda: b"PK nothing",
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_bundle_is_refused_and_leaves_nothing_outside(tmp_path: Path, kind: str) -> None:
    inner = tmp_path / "in" / "bundle"
    inner.mkdir(parents=True)
    (tmp_path / archive.FILE).write_bytes(HOSTILE[kind]())
    with pytest.raises(UserError, match="not a bundle") as caught:
        archive.unpack(tmp_path / archive.FILE, inner)
    assert caught.value.details["found"]
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(inner)]
    assert outside == [tmp_path / archive.FILE]
    assert sum(path.stat().st_size for path in inner.rglob("*")) < 10_000_000


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    (tmp_path / archive.FILE).write_bytes(packed(("a", b"0" * 600), ("b", b"0" * 600), how=zipfile.ZIP_DEFLATED))
    with pytest.raises(UserError, match="not a bundle"):
        archive.unpack(tmp_path / archive.FILE, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    content = bytearray(packed(("a", b"x")))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    (tmp_path / archive.FILE).write_bytes(bytes(content))
    with pytest.raises(UserError, match="encrypted"):
        archive.unpack(tmp_path / archive.FILE, tmp_path / "bundle")


def test_what_was_packed_is_unpacked_and_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    files = {"manifest.json": b"{}", "code/größe.py": b"1", "explain/a b.json": b"2"}
    (tmp_path / archive.FILE).write_bytes(reproducible.zipped(files))
    folder = archive.unpack(tmp_path / archive.FILE, tmp_path / "bundle")
    assert {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    } == files
    with pytest.raises(UserError):
        archive.unpack(tmp_path / archive.FILE, folder)


def test_the_commands_take_a_folder_a_run_or_the_one_file(tmp_path: Path) -> None:
    inside = tmp_path / "run" / "artefacts" / "bundle"
    inside.mkdir(parents=True)
    (inside / "manifest.json").write_text("{}")
    file = archive.write(inside, tmp_path / archive.FILE)
    assert main._bundle(tmp_path / "run", None) == inside
    assert main._bundle(inside, None) == inside
    unpacked = main._bundle(file, None)
    assert unpacked != inside and (unpacked / "manifest.json").read_text() == "{}"
    with pytest.raises(UserError, match="not a bundle"):
        main._bundle(inside / "manifest.json", None)
