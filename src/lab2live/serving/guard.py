"""What every request goes through: who may ask and how often, a number to find it again, and a line in the log."""

from __future__ import annotations

import hmac
import ipaddress
import json
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lab2live.serving.metrics import Metrics

# What a browser may do with a page of ours: show it, with our own script and style, and ask us.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Askers whose speed is remembered.
MOST_ASKERS = 10_000


@dataclass
class Guard:
    """Wraps the service.

    Attributes
    ----------
    app
        What is guarded.
    metrics
        Counts every request.
    key
        What `X-API-Key` has to hold; empty for no key.
    keyless
        Paths that need none.
    rate
        Requests per second that one address may send; `None` for as many as it likes. Twice as many may come at once.
    hosts
        The names by which a browser may call the service: a page from elsewhere could otherwise reach one that
        listens on this machine alone. Empty for any.
    paths
        That there are: others are counted together, since they are what somebody typed.
    log
        Gets a line per request.
    """

    app: ASGIApp
    metrics: Metrics
    key: str = ""
    keyless: frozenset[str] = frozenset()
    rate: float | None = None
    hosts: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    log: Log | None = None
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = dict(scope["headers"])
        number = headers.get(b"x-request-id", b"").decode("latin-1")
        number = number if _ID.fullmatch(number) else uuid.uuid4().hex
        scope["state"] = {"facts": {}}
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_HEADERS, (b"x-request-id", number.encode())]
            await send(message)

        refusal = self._refusal(scope, headers)
        try:
            if refusal is None:
                await self.app(scope, receive, answer)
            else:
                await _refuse(answer, *refusal)
        finally:
            self._count(scope, number, status, time.perf_counter() - began)

    def _refusal(self, scope: Scope, headers: Mapping[bytes, bytes]) -> tuple[int, str, dict[str, str]] | None:
        host = headers.get(b"host", b"").decode("latin-1")
        if self.hosts and _without_port(host) not in self.hosts:
            return 421, "The service is not called by this name.", {}
        if self.rate is not None:
            wait = self._wait(scope["client"][0] if scope.get("client") else "")
            if wait:
                return 429, "Too many requests.", {"Retry-After": str(wait)}
        if self.key and scope["path"] not in self.keyless:
            given = headers.get(b"x-api-key", b"")
            if not hmac.compare_digest(given, self.key.encode()):
                return 401, "The header X-API-Key does not hold the key.", {"WWW-Authenticate": "X-API-Key"}
        return None

    def _wait(self, asker: str) -> int:
        """Take one of the requests an address has left (token bucket); the seconds to wait if there is none."""
        assert self.rate is not None
        now, most = time.monotonic(), max(1.0, 2 * self.rate)
        left, seen = self._left.pop(asker, (most, now))
        left = min(most, left + (now - seen) * self.rate)
        self._left[asker] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > MOST_ASKERS:
            self._left.popitem(last=False)
        return 0 if left >= 1 else max(1, round((1 - left) / self.rate))

    def _count(self, scope: Scope, number: str, status: int, seconds: float) -> None:
        path = scope["path"] if scope["path"] in self.paths else "other"
        self.metrics.request(path, status, seconds)
        if self.log is not None:
            facts = scope["state"]["facts"]
            self.log("request", id=number, path=path, status=status, ms=round(1000 * seconds, 2), **facts)


JSON = b"application/json"

Log = Callable[..., None]


def lines(stream: TextIO) -> Log:
    """Give what writes a log of JSON lines: an event and its facts, and nothing of what was sent.

    Not by `logging`, which takes longer for a line than the model for an answer.
    """

    def told(event: str, **facts: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        stream.write(json.dumps({"time": now, "event": event, **facts}) + "\n")
        stream.flush()

    return told


def own_names(host: str) -> frozenset[str]:
    """Give the names by which a service that listens on this machine alone may be called; none for others."""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    return frozenset({"localhost", "127.0.0.1", "[::1]", host}) if loopback else frozenset()


def _without_port(host: str) -> str:
    return host.rpartition(":")[0] if re.search(r":\d+$", host) else host


async def _refuse(send: Send, status: int, message: str, headers: dict[str, str]) -> None:
    content = json.dumps({"message": message}).encode()
    plain = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    length = (b"content-length", str(len(content)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", JSON), length, *plain]})
    await send({"type": "http.response.body", "body": content})
