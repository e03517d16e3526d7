"""Is this bundle whole, and does a service answer with it? Needs nothing but Python; copied into every bundle.

python smoke.py verify BUNDLE        every file is the one that the manifest names, and there is no other
python smoke.py ask BUNDLE ADDRESS   a service at that address answers a typical case with this bundle
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

# Seconds that a service may take to start.
PATIENCE = 90.0


def verify(bundle: Path) -> str:
    """Hold every file against the manifest; an empty text if all is well."""
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    named = dict(manifest["files"])
    inside = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()} - {"manifest.json"}
    wrong = [f"not in the manifest: {name}" for name in sorted(inside - set(named))]
    for name, expected in sorted(named.items()):
        if name not in inside:
            wrong.append(f"missing: {name}")
        elif hashlib.sha256((bundle / name).read_bytes()).hexdigest() != expected:
            wrong.append(f"changed: {name}")
    return "\n".join(wrong)


def ask(bundle: Path, address: str) -> str:
    """Ask a service about a typical case; an empty text if the model of this bundle answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            ready = _call(f"{address}/ready")
            break
        except OSError as error:
            if time.monotonic() > deadline:
                return f"no answer within {PATIENCE:.0f} s: {error}"
            time.sleep(0.5)
    name = hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()[:12]
    if ready["bundle"] != name or ready["answers_by"] != "model":
        return f"the model of bundle {name} should answer: {ready}"
    form = json.loads((bundle / "explain" / "form.json").read_text(encoding="utf-8"))
    answer = _call(f"{address}/predict", {"values": form["cases"][0]["values"]})
    if answer["bundle"] != name or answer["problems"] or answer["reason"] in ("model_error", "time_out", "integrity"):
        return f"the answer is not that of a sound model: {answer}"
    return ""


def _call(address: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "X-API-Key": os.environ.get("LAB2LIVE_API_KEY", "")}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, data, headers), timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 422:  # the fallback answers, and says what is wrong
            return json.load(error)
        raise


def main(arguments: list[str]) -> int:
    """Do what was asked: 0 if all is well."""
    if arguments[:1] == ["verify"] and len(arguments) == 2:
        problem = verify(Path(arguments[1]))
    elif arguments[:1] == ["ask"] and len(arguments) == 3:
        problem = ask(Path(arguments[1]), arguments[2].rstrip("/"))
    else:
        problem = __doc__.partition("\n\n")[2].strip()
    print(problem or "all is well", file=sys.stderr if problem else sys.stdout)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
