"""The service keeps its promises to whoever asks it, also to those who mean no good."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from lab2live.cli import main
from lab2live.errors import UserError
from lab2live.serving import endpoints, listening

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def client(bundled: Any) -> TestClient:
    return TestClient(listening.app(bundled("binary").folder)[0], raise_server_exceptions=False)


@pytest.fixture(scope="module")
def case(client: TestClient) -> dict[str, Any]:
    values: dict[str, Any] = client.get("/form").json()["cases"][0]["values"]
    return values


def test_the_page_and_all_it_needs_come_from_here_and_nothing_else(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200 and page.headers["content-type"] == "text/html; charset=utf-8"
    needed = re.findall(r'(?:href|src)="([^"#]+)"', page.text)
    assert {"page.css", "ask.css", "ask.js"} <= set(needed)
    for name in needed:
        assert "//" not in name
        if not name.startswith("data:"):
            assert client.get(f"/{name}").status_code == 200
    for name in ("page.css", "ask.css", "ask.js"):
        assert not re.search(r"https?://|@import|innerHTML|eval\(", client.get(f"/{name}").text)


@pytest.mark.parametrize("path", ["/", "/ask.js", "/form", "/health", "/nowhere", "/explain"])
def test_every_answer_forbids_the_browser_to_load_anything_else(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"] and headers["cache-control"] == "no-store"
    assert "unsafe" not in headers["content-security-policy"] and headers["x-content-type-options"] == "nosniff"


def test_a_case_is_explained(client: TestClient, case: dict[str, Any]) -> None:
    answer = client.post("/explain", json={"values": case})
    assert answer.status_code == 200
    assert set(answer.json()) == {
        *("answer", "confidence", "reasons", "flips", "fallback", "unfamiliar", "derived"),
    }


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'{"values": []}',
        b'{"values": null}',
        b'{"other": {}}',
        b"\xff\xfe",
        b"[" * 60_000,
        b'{"values": ' + b'{"a":' * 40_000,
    ],
)
def test_what_is_no_case_is_refused_without_repeating_it(client: TestClient, body: bytes) -> None:
    answer = client.post("/explain", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422 and answer.json() == {"message": endpoints.MALFORMED}


def test_what_is_too_large_is_not_even_read(client: TestClient) -> None:
    def endless() -> Any:
        for _ in range(10_000):
            yield b" " * 100_000

    assert client.post("/explain", content=endless(), headers=JSON).status_code == 413


@pytest.mark.parametrize(
    "value",
    [
        *("NaN", "1e999", "Infinity", True, [], {}, "", "'; drop table", 10**400, -0.0, 1e-320, None, "\ud800"),
        *("9" * 5000, "<img src=x onerror=alert(1)>", "2026-13-45", "0001-01-01"),
    ],
    ids=lambda value: repr(value)[:12],
)
@pytest.mark.parametrize("field", ["bill", "contract", "since", "lines", "yearly", "no such field", "\udfff"])
def test_no_value_breaks_it_and_none_is_repeated(
    client: TestClient, case: dict[str, Any], field: str, value: Any
) -> None:
    body = json.dumps({"values": {**case, field: value}})
    answer = client.post("/explain", content=body.encode("utf-8", "surrogatepass"), headers=JSON)
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 422 and isinstance(value, str) and len(value) > 8:
        assert value not in json.loads(answer.text).__str__()


def test_not_a_number_in_json_is_refused(client: TestClient, case: dict[str, Any]) -> None:
    body = json.dumps({"values": {**case, "bill": float("nan")}})
    answer = client.post("/explain", content=body, headers=JSON)
    assert answer.status_code == 422 and answer.json() == {"message": endpoints.MALFORMED}


def test_an_error_is_logged_by_its_kind_alone(
    bundled: Any, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(*_: Any) -> Any:
        raise RuntimeError("Ada Lovelace owes 300")

    asked = TestClient(listening.app(bundled("binary").folder)[0], raise_server_exceptions=False)
    assert asked.post("/explain", json={"values": case}).status_code == 200
    monkeypatch.setattr("lab2live.handoff.answering.Answering.explain", breaks)
    answer = asked.post("/explain", json={"values": case})
    said = capsys.readouterr().err
    assert answer.status_code == 500 and "Lovelace" not in answer.text + said and "RuntimeError" in said


def test_many_at_once_get_the_answers_they_would_get_alone(client: TestClient, case: dict[str, Any]) -> None:
    asked = [{**case, "bill": 20 + 2 * number} for number in range(24)]
    alone = [client.post("/explain", json={"values": values}).json() for values in asked]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda values: client.post("/explain", json={"values": values}).json(), asked))
    assert together == alone and len({answer["answer"]["share"] for answer in alone}) > 3


def test_there_is_no_page_from_elsewhere_and_no_other_method(client: TestClient) -> None:
    assert [client.get(path).status_code for path in ("/docs", "/redoc", "/nowhere")] == [404, 404, 404]
    assert client.get("/explain").status_code == 405 and client.post("/form").status_code == 405


def test_the_command_serves_on_loopback_says_where_and_stops(bundled: Any) -> None:
    command = [sys.executable, "-m", "lab2live", "ask", str(bundled("binary").folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix("Open this page:").strip()
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
            with urllib.request.urlopen(address + "form", timeout=20) as answer:
                assert json.load(answer)["target"] == "left"
        finally:
            process.terminate()
            process.wait(20)


def test_a_taken_port_is_said(bundled: Any) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="cannot listen there"):
            listening.serve(bundled("binary").folder, "127.0.0.1", taken.getsockname()[1], lambda _: None)


def test_a_bundle_is_found_by_its_run_and_its_lack_is_said(bundled: Any, tmp_path: Any) -> None:
    folder = bundled("binary").folder
    run = tmp_path / "run"
    (run / "artefacts").mkdir(parents=True)
    assert main._bundle(folder, None) == folder and main._bundle(run, None) == run
    (run / "artefacts" / "bundle").symlink_to(folder)
    assert main._bundle(run, None) == run / "artefacts" / "bundle"
    (tmp_path / "latest").write_text("run\n")
    assert main._bundle(tmp_path / "latest", None) == run / "artefacts" / "bundle"
    (tmp_path / "latest").write_text("gone\n")
    with pytest.raises(UserError, match="There is no such bundle"):
        main._bundle(tmp_path / "latest", None)
