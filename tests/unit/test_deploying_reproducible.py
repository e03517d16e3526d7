"""The same model, the same bytes: in another process, with other addresses and another order of sets."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io

from lab2live import reproducible, wheel
from lab2live.data import models, splits
from lab2live.handoff import export
from lab2live.handoff.deploying import archive
from lab2live.poc.comparison.chosen import trusted

KINDS = ("binary", "multiclass", "regression")
IN_ANOTHER_PROCESS = """
import hashlib, importlib.util, json, sys
spec = importlib.util.spec_from_file_location("conftest", sys.argv[1])
conftest = importlib.util.module_from_spec(spec)
spec.loader.exec_module(conftest)
from lab2live.data import models, splits
from lab2live.handoff import export
found = {}
for kind in sys.argv[2:]:
    charter, data = conftest._generate(kind)
    learn = splits.split(charter, data, 0).train
    for name, made in (("linear", models.linear(data)), ("boosting", models.boosting(data, 0, {"max_iter": 20}))):
        model = models.fit(made, data, learn)
        for content in (export.to_skops(model), export.to_onnx(model, data.columns)):
            found.setdefault(f"{kind} {name}", []).append(hashlib.sha256(content).hexdigest())
print(json.dumps(found))
"""


def test_two_processes_write_the_same_bytes() -> None:
    written = []
    for seed in ("1", "2"):
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            IN_ANOTHER_PROCESS,
            str(Path(__file__).with_name("conftest.py")),
        ]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([*command, *KINDS], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        written.append(json.loads(done.stdout))
    assert written[0] == written[1]
    assert len(written[0]) == 6


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_loaded_from_it_answers_the_same_and_is_written_the_same_again(generate: Any, kind: str) -> None:
    charter, data = generate(kind)
    model = models.fit(models.boosting(data, 0, {"max_iter": 20}), data, splits.split(charter, data, 0).train)
    plain, content = skops.io.dumps(model), export.to_skops(model)
    loaded = skops.io.loads(content, trusted=trusted(content))
    assert np.array_equal(models.answer(loaded, data.inputs), models.answer(model, data.inputs))
    assert export.to_skops(loaded) == content
    with zipfile.ZipFile(io.BytesIO(content)) as told, zipfile.ZipFile(io.BytesIO(plain)) as before:
        assert len(told.namelist()) == len(before.namelist())
        assert {entry.date_time for entry in told.infolist()} == {reproducible.MOMENT}


def test_an_archive_does_not_depend_on_order_time_or_system(tmp_path: Path) -> None:
    files = {"b/x": b"1", "a": b"2"}
    packed = reproducible.zipped(files)
    assert packed == reproducible.zipped(dict(reversed(files.items())))
    for name, content in files.items():
        path = tmp_path / "folder" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o600)
    assert archive.pack(tmp_path / "folder") == packed


def test_the_wheel_is_the_same_every_time_and_its_record_is_true() -> None:
    name, content = wheel.build()
    assert wheel.build() == (name, content)
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        names = packed.namelist()
        (record,) = (name for name in names if name.endswith("/RECORD"))
        lines = packed.read(record).decode().splitlines()
        assert [line.partition(",")[0] for line in lines] == [*sorted(set(names) - {record}), record]
        for line in lines[:-1]:
            name, expected, size = line.rsplit(",", 2)
            assert expected == f"sha256={wheel._hash(packed.read(name))}" and int(size) == len(packed.read(name))
    assert "lab2live/notebooks/05_monitoring.ipynb" in names
    assert {"lab2live/cli/main.py", "lab2live/serving/ask/ask.html", "lab2live/handoff/deploying/Dockerfile.j2"} <= set(
        names
    )
    assert not [name for name in names if "__pycache__" in name]
