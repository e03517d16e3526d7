"""How fast does the service answer, with contract, confidence and fallback on?

The same pipeline, learnt from the demo's customers without features of their own, is served in three ways, one process
each, one after the other on this machine: by `lab2live serve`, by the smallest ASGI server around the same ONNX file,
which checks nothing, and by `mlflow models serve` where `--peer PYTHON` names an interpreter with `mlflow`, `skops` and
this scikit-learn. `wrk` asks each with one case per request. Bars: at least 15 times mlflow, at least half of the bare
server, ready in under 4 seconds. With the demo's own features, which are pandas, the throughput is told beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lab2live.charter import loading
from lab2live.data import dataset, models, splits
from lab2live.data.sources import tables
from lab2live.explainability import explainer
from lab2live.handoff import bundle, contract, export, form
from lab2live.pipeline import hooks
from lab2live.poc.comparison.chosen import Chosen
from lab2live.poc.worth import value

CONNECTIONS = 32
# Seconds of asking before it counts: what explains the answers is still being loaded after the first one.
WARM = 6
MLFLOW, BARE, READY = 15.0, 0.5, 4.0

SERVER = """
import json, sys
import numpy as np, onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
columns = json.loads(sys.argv[2])

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    values = json.loads(body)["values"] if body else {}
    feed = {
        f"x{place}": np.array([[values.get(name)]], dtype=object if kind == "category" else np.float32)
        for place, (name, kind) in enumerate(columns)
    } if values else None
    answer = float(session.run(None, feed)[1][0, 1]) if feed else None
    content = json.dumps({"answer": answer}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})

if __name__ == "__main__":
    import uvicorn
    uvicorn.run(app, port=int(sys.argv[3]), log_level="error", access_log=False, lifespan="off")
"""

MODEL = """
import sys
import mlflow, pandas as pd, skops.io

class Model(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        file = context.artifacts["model"]  # written a moment ago by ourselves
        self.model = skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
    def predict(self, context, model_input, params=None):
        return self.model.predict_proba(pd.DataFrame(model_input))[:, 1]

mlflow.pyfunc.save_model(sys.argv[2], python_model=Model(), artifacts={"model": sys.argv[1]}, pip_requirements=[])
"""


def write_bundle(folder: Path, with_features: bool) -> tuple[dict[str, Any], dataset.Dataset, Any]:
    """Learn from the demo's customers and write a bundle; gives a typical case, the data and the model."""
    demo = loading.find("demo")
    if not with_features:
        demo = demo.model_copy(update={"project": demo.project.model_copy(update={"package": None})})
    table = tables.modelling_table(demo, None, 0)
    data = hooks.dataset(demo, table)
    split = splits.split(demo, data, 0)
    made = models.boosting(data, 0)
    held_out = np.full(len(split.train), np.nan)
    place = np.zeros(len(data.outcome), dtype=int)
    place[split.train] = np.arange(len(split.train))
    for learn, validate in splits.folds(demo, data, split.train, 3, 1, 0):
        held_out[place[validate]] = models.answer(models.fit(made, data, learn), data.inputs.iloc[validate])
    model = models.fit(made, data, split.train)
    policy = value.learn_policy(demo, data.problem, data.outcome[split.train], held_out)
    asked_of = explainer.learn(demo, table, data, split, Chosen("boosting", model, held_out, policy, True), 0)
    described = form.describe(demo, dataset.labelled(demo, table), split.train, held_out, asked_of)
    kind, content, _ = export.export(model, data, policy.threshold, rows=2000)
    assert kind == "onnx", "the comparison is about the same ONNX file"
    agreed = contract.describe(demo, data, split, policy)
    code = bundle.code_of(demo) if with_features else None
    read_as = tables.kept(demo, tables.read_all(demo))
    bundle.write(folder, kind, content, agreed, code, "# card\n", bundle.explaining(asked_of, described, True, read_as))
    return described["cases"][0]["values"], data, model


@contextmanager
def served(command: list[str], port: int, path: str, environment: Mapping[str, str] | None = None) -> Iterator[float]:
    """Start a server, and give the seconds until it answered for the first time."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2).read()
                break
            except OSError:
                if process.poll() is not None or time.perf_counter() - began > 180:
                    raise RuntimeError(f"it does not start: {' '.join(command)}") from None
                time.sleep(0.01)
        yield time.perf_counter() - began
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def throughput(port: int, path: str, body: Any, seconds: int, work: Path) -> tuple[float, float]:
    """Ask with wrk: answered requests per second, and the 99th hundredth of their latency in milliseconds."""
    script = work / "post.lua"
    content = json.dumps(body)
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = [==[{content}]==]\nwrk.headers["Content-Type"] = "application/json"\n'
    )
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", str(script)]
    said = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True
    ).stdout
    assert "Non-2xx" not in said, said
    late, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))  # type: ignore[union-attr]
    return rate, float(late) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="an interpreter with mlflow", default=None)
    parser.add_argument("--quick", action="store_true", help="one short round instead of five")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed: apt-get install wrk")
        return 1
    rounds, seconds = (1, 4) if arguments.quick else (5, 8)
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="lab2live-serving-") as home:
        work = Path(home)
        case, data, model = write_bundle(work / "plain", False)
        own, _, _ = write_bundle(work / "features", True)
        columns = json.dumps(list(data.columns.kinds.items()))
        (work / "bare.py").write_text(SERVER)
        prepared = {name: data.inputs[name].iloc[0] for name in data.inputs}
        prepared = {name: value if isinstance(value, str) else float(value) for name, value in prepared.items()}
        lab = [sys.executable, "-m", "lab2live", "serve"]
        servers = {
            "lab2live": ([*lab, str(work / "plain"), "--port", "{port}"], "/ready", "/predict", {"values": case}),
            "bare ASGI + ONNX": (
                [sys.executable, str(work / "bare.py"), str(work / "plain" / "model.onnx"), columns, "{port}"],
                "/",
                "/",
                {"values": prepared},
            ),
            "lab2live, own features": (
                [*lab, str(work / "features"), "--port", "{port}"],
                "/ready",
                "/predict",
                {"values": own},
            ),
        }
        if arguments.peer:
            import skops.io

            (work / "model.skops").write_bytes(skops.io.dumps(model))
            subprocess.run(
                [arguments.peer, "-c", MODEL, str(work / "model.skops"), str(work / "mlflow")], check=True, cwd=work
            )
            body = {"dataframe_records": [prepared]}
            command = [str(Path(arguments.peer).with_name("mlflow")), "models", "serve", "-m", str(work / "mlflow"),
                       "--env-manager", "local", "-p", "{port}"]  # fmt: skip
            servers["mlflow models serve"] = (command, "/ping", "/invocations", body)
        starts: dict[str, list[float]] = {}
        lates: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, (command, ping, path, body) in servers.items():
                port = free_port()
                path_of_peer = (
                    {"PATH": f"{Path(arguments.peer).parent}{os.pathsep}{os.environ['PATH']}"}
                    if "mlflow" in name
                    else {}
                )
                with served(
                    [part.format(port=port) if part == "{port}" else part for part in command], port, ping, path_of_peer
                ) as ready:
                    throughput(port, path, body, WARM, work)
                    rate, late = throughput(port, path, body, seconds, work)
                starts.setdefault(name, []).append(ready)
                found.setdefault(name, []).append(rate)
                lates.setdefault(name, []).append(late)
    print(f"{'server':26}{'requests/s':>12}{'99 % in ms':>12}{'ready in s':>12}   (medians of {rounds})")
    rates = {name: statistics.median(values) for name, values in found.items()}
    for name, rate in rates.items():
        print(f"{name:26}{rate:12,.0f}{statistics.median(lates[name]):12.1f}{statistics.median(starts[name]):12.2f}")
    bars = [
        ("of the bare server", rates["lab2live"] / rates["bare ASGI + ONNX"], BARE, True),
        ("ready in s", statistics.median(starts["lab2live"]), READY, False),
    ]
    if arguments.peer:
        bars.append(("times mlflow", rates["lab2live"] / rates["mlflow models serve"], MLFLOW, True))
    failed = 0
    for what, measured, bar, higher in bars:
        good = measured >= bar if higher else measured <= bar
        failed += not good
        print(f"{'PASS' if good else 'FAIL'}  {what}: {measured:.2f} (bar {bar:g})")
    if not arguments.peer:
        print("left out: mlflow (--peer PYTHON)")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
