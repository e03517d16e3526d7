"""The folder `deploy/` of a bundle: what an engineer needs to run it without the project and without asking."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files as resources
from typing import TYPE_CHECKING, Any

import lab2live
from lab2live import wheel
from lab2live.handoff import schemas
from lab2live.handoff.deploying.capacity import Capacity
from lab2live.handoff.deploying.locked import Needs
from lab2live.reporting.formatting import amount, short
from lab2live.wheel import PYTHONS

if TYPE_CHECKING:
    import pandas as pd

    from lab2live.charter.schema import Charter

SCHEMA = "contract.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# A name that Kubernetes takes has at most 63 letters, that of a CronJob 52, and some get an ending.
LONGEST_NAME, LONGEST_TITLE = 40, 200
# In MB and thousandths of a processor, where nothing was measured or asked for.
MEMORY, MOST_MEMORY, CPU, LEAST_CPU, MOST_CPU = 512, 2**20, 250, 100, 2000
# Template -> what it becomes, and what that is.
TEMPLATES = {
    "Dockerfile.j2": ("deploy/Dockerfile", "an image: no root, base pinned by version, health check, key from outside"),
    "compose.yaml.j2": ("deploy/compose.yaml", "the service on this machine alone; the monitoring on request"),
    "kubernetes.yaml.j2": ("deploy/kubernetes.yaml", "deployment with probes, service, volumes, nightly monitoring"),
    "github-workflow.yml.j2": ("deploy/github-workflow.yml", "CI: checks the files, serves and asks, builds the image"),
    "how-to.md.j2": ("deploy/how-to.md", "the commands, and how to roll back"),
}
PREDICT_LOCK, FULL_LOCK, SMOKE = "deploy/requirements-predict.lock", "deploy/requirements.lock", "deploy/smoke.py"


@dataclass(frozen=True)
class Place:
    """What the templates are filled with.

    Attributes
    ----------
    name
        Of the project, as DNS, Docker and Kubernetes take it (RFC 1123).
    title
        Of the project, as it was written; only ever as a quoted text.
    image
        Name and tag: the tag is the beginning of the bundle's hash, so that no two bundles share one.
    python
        Of the image.
    memory, memory_limit
        MB that the service asks for, and may have.
    cpu
        Thousandths of a processor that it asks for.
    start, start_tries
        Seconds that it took to start, and how often it may be looked for before it is given up.
    """

    name: str
    title: str
    image: str
    python: str
    memory: int
    memory_limit: int
    cpu: int
    start: str
    start_tries: int


def place(charter: Charter, measured: Capacity, core: str) -> Place:
    """Gather what the templates are filled with.

    Parameters
    ----------
    charter
        Its name may hold anything, and is reduced to what every system takes.
    measured
        See there.
    core
        A hash of what is in the image: its tag begins like it.
    """
    asked, name = charter.deployment, dns_name(charter.project.name)
    held = measured.memory_mb or MEMORY / 1.5
    limit = math.ceil(min(asked.memory_mb or 1.5 * held, MOST_MEMORY))
    share = asked.requests_per_second and asked.requests_per_second / max(measured.requests_per_second, 1)
    wanted = ".".join((asked.python or "").strip().split(".")[:2])
    return Place(
        name=name,
        title="".join(mark for mark in charter.project.name if mark.isprintable())[:LONGEST_TITLE],
        image=f"{name}:{core[:12]}",
        python=wanted if wanted in PYTHONS else ".".join(measured.python.split(".")[:2]),
        memory=min(math.ceil(held), limit),
        memory_limit=limit,
        cpu=CPU if share is None else math.ceil(min(max(1000 * share, LEAST_CPU), MOST_CPU)),
        start=short(measured.start_seconds),
        start_tries=max(30, math.ceil(5 * measured.start_seconds)),
    )


def dns_name(text: str) -> str:
    """Reduce a name to small letters, digits and single hyphens, beginning with a letter.

    Examples
    --------
    >>> dns_name("Télécom churn!"), dns_name("7 $(rm -rf /)"), dns_name("顧客")
    ('telecom-churn', 'model-7-rm-rf', 'model')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    name = name if name[:1].isalpha() else f"model-{name}"
    return name[:LONGEST_NAME].strip("-")


def files(charter: Charter, needs: Needs, measured: Capacity, core: str) -> dict[str, bytes]:
    """Write the folder: name in the bundle -> content, the same for the same bundle.

    Parameters
    ----------
    charter, measured
        See `place`.
    core
        The hash of the bundle without these files, see `capacity.core_hash`.
    needs
        What has to be installed.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # YAML and Dockerfiles are no HTML: what goes in is a number, a DNS name, or quoted here
    made = Environment(
        loader=PackageLoader("lab2live.handoff.deploying", "."),
        undefined=StrictUndefined,
        variable_start_string="[[",
        variable_end_string="]]",
        keep_trailing_newline=True,
        autoescape=False,
    )
    made.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    name, library = wheel.build()
    brought = {
        PREDICT_LOCK: needs.lock("predict"),
        FULL_LOCK: needs.lock("predict", "explain", "monitor"),
        SMOKE: resources("lab2live.handoff.deploying").joinpath("smoke.py").read_bytes(),
        f"deploy/{name}": library,
    }
    # another package or another lab2live around the same model is another image
    filled = place(charter, measured, hashlib.sha256(b"".join([core.encode(), *brought.values()])).hexdigest())
    facts = {**filled.__dict__, "wheel": name, "version": lab2live.__version__, "pythons": ", ".join(PYTHONS)}
    return {
        **{name: made.get_template(template).render(facts).encode() for template, (name, _) in TEMPLATES.items()},
        **brought,
    }


def schema(form: Mapping[str, Any], contract: Mapping[str, Any], unasked: Mapping[str, Any]) -> dict[str, bytes]:
    """Write what a case has to look like and what an answer does as one JSON Schema, under `$defs`.

    Parameters
    ----------
    form, contract
        As they are in the bundle.
    unasked
        Columns that nobody has to give, see `Explainer`.
    """
    told = {
        "$schema": DIALECT,
        "title": "What goes in and what comes out",
        "type": "object",
        "properties": {name: {"$ref": f"#/$defs/{name}"} for name in ("case", "answer")},
        "$defs": {"case": schemas.case_schema(form, tuple(unasked)), "answer": schemas.answer_schema(contract)},
    }
    return {SCHEMA: (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode()}


def table() -> pd.DataFrame:
    """Show what is in the folder."""
    import pandas as pd

    lines = dict(TEMPLATES.values()) | {
        PREDICT_LOCK: "the packages that answering needs, with hashes",
        FULL_LOCK: "those that explanations, batch scoring and monitoring need, too",
        "deploy/lab2live-*.whl": "lab2live itself: the project need not come along",
        SMOKE: "checks the files and asks a running service; plain Python",
    }
    return pd.DataFrame({"file": list(lines), "what it is": list(lines.values())})


def sentence(needs: Needs) -> str:
    """Say what has to be installed."""
    counts = {task: len(packages) for task, packages in needs.packages.items()}
    names = {one.name for one in needs.packages["predict"]}
    free = "" if names & {"pandas", "scikit-learn"} else ", neither pandas nor scikit-learn among them"
    unlocked = (
        f" The project's own code also imports what the lock does not hold: {', '.join(needs.unlocked)}."
        if needs.unlocked
        else ""
    )
    return (
        f"Answering needs {amount(counts['predict'], 'package')}{free}; with explanations they are "
        f"{counts['explain']}, with monitoring {counts['monitor']}.{unlocked}"
    )
