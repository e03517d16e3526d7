"""The stored outputs in tests/reference belong to the notebooks of today. nbval compares them with a new run (`make test`)."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REFERENCES = sorted((ROOT / "tests" / "reference").glob("*.ipynb"))


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def sources(cells):
    """What a notebook says, without what it found."""
    return [(cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])) for cell in cells]


@pytest.fixture(params=REFERENCES or [None], ids=lambda path: path.name if path else "none")
def reference(request):
    if request.param is None:
        pytest.skip("NOTHING IS COMPARED: no reference outputs yet. Run `lab2live record` and commit tests/reference.")
    return request.param


def test_a_reference_was_recorded_from_the_notebook_of_today(reference):
    notebook = ROOT / "notebooks" / reference.name
    assert notebook.is_file(), f"there is no notebooks/{reference.name} any more: delete the reference"
    assert sources(read(reference)) == sources(read(notebook)), "the notebook has changed, re-record: lab2live record"


def test_a_reference_has_been_executed(reference):
    code = [cell for cell in read(reference) if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
    # nbval compares nothing where outputs were stripped, and calls it passed.
    assert all(cell["execution_count"] for cell in code), "this reference never ran, re-record: lab2live record"
    assert any(cell["outputs"] for cell in code), "this reference has no outputs, re-record: lab2live record"
