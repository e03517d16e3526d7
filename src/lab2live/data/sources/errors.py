"""Why a source could not be read, for people: what is the matter, what to do about it, and no secrets."""

from __future__ import annotations

import os
import re
import urllib.parse
from typing import NamedTuple

from lab2live.charter.schema import Source
from lab2live.errors import UserError

# What a reading says of a source that is there, and empty. Checks know it by its first sentence.
NO_ROWS = "It holds no rows. Ask its owner for a complete export, or correct the uri or table in the charter."
# Of what an engine says, the part that is shown.
LONGEST = 300


class Known(NamedTuple):
    """A complaint of an engine or its driver, and how to say it. `{owner}` is whom to ask."""

    pattern: str
    what: str
    fix: str


# The first that fits is taken: what every message about a connection begins with comes after what it may end with.
KNOWN = (
    Known(
        "password authentication failed|no password supplied|SASL|role .* does not exist",
        "The database does not accept the user or the password.",
        "Correct the user in the uri and the environment variable that holds the password, or ask {owner} for an "
        "account that works.",
    ),
    Known(
        "no pg_hba.conf entry|requires? (SSL|encryption)|not support SSL",
        "The database does not let this machine in like this.",
        "Ask {owner} to admit it, or add ?sslmode=require to the uri if only encrypted connections are allowed.",
    ),
    Known(
        "database .* does not exist",
        "The server has no database of this name.",
        "Correct the database at the end of the uri, or ask {owner} for its name.",
    ),
    Known(
        "(schema|relation|table|view) .*does not exist|TableNotFound",
        "The database has no such table.",
        "Correct the source's table, or ask {owner} what became of it.",
    ),
    Known(
        "permission denied|EACCES|not authorized|Operation not permitted",
        "We have no right to read it.",
        "Ask {owner} for the right to read it.",
    ),
    Known(
        "lock timeout|deadlock detected|being used by another process",
        "Another program keeps the table locked.",
        "Wait until it is done, or ask {owner} who is writing to the table; then run again.",
    ),
    Known(
        "database is locked|database table is locked|Could not set lock on file",
        "Another program has the database file locked, and is probably writing to it.",
        "Close it there or wait until it is done, or read a copy of the file.",
    ),
    Known(
        "statement timeout|QueryCanceled|interrupted",
        "The database took too long to answer.",
        "Ask {owner} for an index, or for an extract of the table as Parquet.",
    ),
    Known(
        "too many (clients|connections)|remaining connection slots",
        "The database has no free connection.",
        "Run again later, or ask {owner} for more connections.",
    ),
    Known(
        "no pq wrapper|libpq",
        "PostgreSQL's client library is missing on this machine.",
        "Install it: apt install libpq5, brew install libpq, or pip install psycopg-binary.",
    ),
    Known(
        "Connection refused|connection failed|could not connect|timed out|timeout expired|failed to resolve|"
        "could not translate host|Name or service not known|nodename nor servname|getaddrinfo|unreachable|"
        "server closed the connection|connection (was )?(lost|closed|reset)|the database system is",
        "The server does not answer.",
        "Check host and port in the uri, and whether the server is up and can be reached from here (VPN, firewall).",
    ),
    Known("Symlink loop|symbolic links", "The address leads round in a circle.", "Correct the source's uri."),
    Known("HTTP Error 40[13]", "The web server does not let us read it.", "Ask {owner} for access."),
    Known(
        "HTTP Error",
        "The web server does not give the file.",
        "Check the uri in a browser, or ask {owner} where it is now.",
    ),
    Known(
        "file is not a database|file is encrypted|not a valid DuckDB database",
        "It is not a database that can be read, or it is encrypted.",
        "Correct the uri, or ask {owner} for the file again, without encryption.",
    ),
    Known(
        "malformed|disk image|Could not read enough bytes|corrupt|checksum",
        "The database file is damaged.",
        "Copy it again while nobody writes to it, or ask {owner} for an export.",
    ),
    Known(
        "parquet|No magic bytes|decompression failure|Snappy|ZSTD|TProtocol|thrift",
        "It is not a Parquet file, or it was damaged on its way.",
        "Copy it again, or ask {owner} for a new export.",
    ),
    Known(
        "sniffing file|Schema mismatch",
        "It cannot be read as a table: some lines have more values than others, or a quote is never closed.",
        "Ask {owner} for a new export with the same number of values in every line, or as Parquet.",
    ),
    Known(
        "Maximum line size",
        "A line is longer than any table's: a quote is never closed, or this is no CSV.",
        "Ask {owner} for a new export with closed quotes, as CSV or Parquet.",
    ),
    Known(
        "conversion error|could not convert|could not decode|invalid literal|failed to cast",
        "A column holds values that do not fit its type.",
        "Ask {owner} to store the column as what it holds, or to export it as CSV or Parquet.",
    ),
    Known(
        "No space left|Out of Memory|failed to allocate|MemoryError",
        "There is not enough memory or disk space to read it.",
        "Free some, or read a smaller extract.",
    ),
)
UNKNOWN = Known("", "It could not be read.", "Correct the source's uri, or ask {owner} for it in another form.")


def in_words(error: Exception, source: Source) -> str:
    """Say what is wrong with a source and what to do, in two or three plain sentences without secrets.

    Parameters
    ----------
    error
        A `UserError`, or whatever an engine or its driver raised: what it says first is kept, in brackets.
    source
        Knows whom to ask, and which secrets its address holds.
    """
    if isinstance(error, UserError):
        return without_secrets(_of_user_error(error), source)
    lines = _lines(error)
    # what comes after the first line are hints, unless only they tell anything
    first = f"{type(error).__name__}: {lines[0]}"
    known = _known(first) or _known(" ".join(lines)) or UNKNOWN
    # a driver that tried two addresses tells what went wrong in a later line
    said = next((line for line in lines if known.pattern and re.search(known.pattern, line, re.IGNORECASE)), lines[0])
    owner = f"its owner ({source.owner})" if source.owner else "its owner"
    return without_secrets(f"{known.what} {known.fix.format(owner=owner)} ({said[:LONGEST]})", source)


def _known(text: str) -> Known | None:
    return next((known for known in KNOWN if re.search(known.pattern, text, re.IGNORECASE)), None)


def first_line(error: Exception, source: Source) -> str:
    """Give what an engine says first, without secrets."""
    return without_secrets(_lines(error)[0], source)


def _lines(error: Exception) -> list[str]:
    return [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]


def _of_user_error(error: UserError) -> str:
    details = error.details
    shown = [f"{name} {details[name]}" for name in ("found", "expected") if name in details]
    if not shown and "where" in details:
        shown = [details["where"]]
    what = error.problem.rstrip(".") + (f" ({', '.join(shown)})" if shown else "")
    fix = details.get("fix", "")
    sentences = [what, fix[:1].upper() + fix[1:]]
    # pages show backticks as they are
    return " ".join(f"{sentence.rstrip('.')}." for sentence in sentences if sentence).replace("`", "")


def without_secrets(text: str, source: Source) -> str:
    """Take out of a message what the source's addresses may have told an engine: passwords and variables' values."""
    for address in (source.uri, source.stand_in, source.snapshot):
        for name in re.findall(r"\$\{(\w+)\}", address or ""):
            value = os.environ.get(name)
            for secret in (value, urllib.parse.quote(value, safe="")) if value else ():
                text = text.replace(secret, "${" + name + "}")
    return re.sub(r"(://[^:/@\s]*:)(?!\$\{\w+\}@)\S+@", r"\1***@", text)
