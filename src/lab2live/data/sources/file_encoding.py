"""Whether a file is text at all, and the same text as UTF-8."""

from __future__ import annotations

import codecs
import functools
import gzip
import io
import re
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from lab2live.data.sources.engine import new_file
from lab2live.errors import UserError

# Control characters between which some systems put their values.
SEPARATORS = "\x01\x1c\x1d\x1e\x1f"
# Bytes read at once. No line of a table is longer (DuckDB stops at 2,000,000).
BLOCK = 2**21
# What a file is that is not what its name says, by how it begins.
MAGIC = {
    b"PK\x03\x04": "an Excel or ZIP file",
    b"\xd0\xcf\x11\xe0": "an old or encrypted Office file",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "an SQLite database",
    b"\x1f\x8b": "a compressed file, whose name should end in .gz",
    b"%PDF": "a PDF",
    b"<!doctype": "a web page, such as one that asks to log in",
    b"<html": "a web page, such as one that asks to log in",
    b"<?xml": "XML",
    b"{": "JSON",
    b"[{": "JSON",
}
BOMS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Control characters that no text holds; random bytes are full of them.
_STRANGE = bytes(byte for byte in range(32) if chr(byte) not in "\t\n\v\f\r\x00" + SEPARATORS)


class Text(NamedTuple):
    """A file that is text: where it lies as UTF-8, when it was written, how it begins, and how many quotes it has."""

    path: Path
    changed: int
    head: str
    quotes: int


def text_of(file: Path, encoding: str | None = None) -> Text:
    """See that a file is text, and copy it as UTF-8 with one kind of line ends if it is not.

    Parameters
    ----------
    file
        May be compressed, if its name ends in `.gz`.
    encoding
        As the charter says; `None` finds it.

    Returns
    -------
    Text
        One that has been seen before is not looked at again, unless it has changed.

    Raises
    ------
    UserError
        If it is something else, empty, or damaged.
    """
    known = file.stat()
    return _text_of(file, known.st_mtime_ns, known.st_size, encoding)


@functools.cache
def _text_of(file: Path, changed: int, size: int, encoding: str | None) -> Text:
    opened: Any = gzip.open if file.suffix.lower() == ".gz" else open
    decoder = codecs.getincrementaldecoder("utf-8")()
    quotes, ends, is_utf8, last = 0, [0, 0, 0], True, b""
    try:
        with opened(file, "rb") as content:
            block = head = content.read(BLOCK)
            encoding = encoding or _encoding(head)
            _refuse(head)
            while block:
                _refuse_endless(block)
                quotes += block.count(b'"')
                for place, end in enumerate((b"\r\n", b"\n", b"\r")):
                    ends[place] += block.count(end) + (place == 0 and last == b"\r" and block.startswith(b"\n"))
                is_utf8 = is_utf8 and encoding is None and _decodes(decoder, block)
                last, block = block[-1:], content.read(BLOCK)
        # two kinds of line ends in one file: the engine would see lines that never end
        mixed = ends[0] not in (0, ends[1]) or ends[2] > ends[0]
        path = file if (is_utf8 and not mixed) or not head else _as_utf8(file, opened, encoding)
        with (opened if path == file else open)(path, "rb") as content:
            first = content.read(BLOCK).decode("utf-8-sig", "replace")
    except (EOFError, gzip.BadGzipFile) as error:
        raise UserError(
            "The compressed file is damaged or ends too early.",
            found=str(error),
            fix="copy it again, or ask for a new export",
        ) from error
    except LookupError:
        where = "the source's `reading.encoding`"
        raise UserError(
            "Nobody knows this encoding.", where=where, found=encoding, fix="write utf-8 or cp1252, say"
        ) from None
    return Text(path, changed, first[: first.rfind("\n") + 1] or first, quotes)


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes) -> bool:
    try:
        decoder.decode(block)
    except UnicodeDecodeError:
        return False
    return True


def _encoding(head: bytes) -> str | None:
    """Recognise UTF-16 by its mark, or by every other byte being zero."""
    for mark, encoding in BOMS.items():
        if head.startswith(mark):
            return encoding
    # letters outside of Western Europe have no zero, but no text is without blanks, digits and commas
    zeros = [head[place:1000:2].count(0) for place in (1, 0)]
    if max(zeros) <= 0.3 * len(head[:1000]) or min(zeros):
        return None
    return "utf-16-le" if zeros[0] else "utf-16-be"


def _refuse(head: bytes) -> None:
    if not head.strip():
        raise UserError("It holds no rows.", fix="ask for a complete export, or correct the source's `uri`")
    start = head[:20].lstrip().lower()
    found = next((name for magic, name in MAGIC.items() if start.startswith(magic.lower())), None)
    strange = len(head) - len(head.translate(None, _STRANGE))
    if found is None and (strange > 0.02 * len(head) or head.count(0) > 0.6 * len(head)):
        found = "bytes that are no text"
    if found:
        raise UserError(
            "The file is not the CSV that its name says.",
            found=found,
            fix="give it the name of what it is, or ask for an export as CSV or Parquet",
        )


def _refuse_endless(block: bytes) -> None:
    """Refuse what DuckDB would look at for minutes before it gave up."""
    if len(block) == BLOCK and b"\n" not in block and b"\r" not in block:
        raise UserError(
            "The file holds an endless line: it is no table, or a quote is never closed.",
            found=f"{BLOCK:,} bytes without a line break",
            fix="ask for a new export as CSV or Parquet",
        )


def _as_utf8(file: Path, opened: Any, encoding: str | None) -> Path:
    """Copy a text as UTF-8 with plain line ends; without another sign, what is not UTF-8 is of one code page."""
    copy = new_file(".csv")
    with opened(file, "rb") as content, copy.open("w", encoding="utf-8", newline="\n") as written:
        if encoding:
            reader = io.TextIOWrapper(content, encoding, errors="replace", newline=None)
            while part := reader.read(BLOCK):
                written.write(part.removeprefix("\ufeff"))
        else:
            page = _code_page(file, opened)
            for line in content:
                written.write(_line(line, page).replace("\r\n", "\n").replace("\r", "\n"))
    return copy


def _code_page(file: Path, opened: Any) -> str:
    """Tell Western European text from Cyrillic or Greek, whose words are nothing but letters beyond ASCII."""
    import charset_normalizer

    with opened(file, "rb") as content:
        lines = b"".join(islice((line for line in content if not line.isascii()), 1000))
    letters = sum(len(run) for run in re.findall(rb"[\x80-\xff]+", lines))
    words = sum(len(run) for run in re.findall(rb"[\xa8\xb8\xb3\xbf\xc0-\xff]{3,}", lines))
    if 2 * words < letters:
        return "cp1252"
    likely = charset_normalizer.from_bytes(lines, cp_isolation=["cp1251", "cp1253", "koi8_r"]).best()
    return likely.encoding if likely else "cp1252"


def _line(line: bytes, page: str) -> str:
    for encoding in ("utf-8", page):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")
