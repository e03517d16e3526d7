"""Public data by domain (T3): the closest table, to show what could be gained before the client's own data arrive."""

from __future__ import annotations

import socket
import warnings
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lab2live.charter.schema import PUBLIC_SCHEME, did_you_mean
from lab2live.errors import UserError

# Seconds to wait for a server that does not answer.
PATIENCE = 30


@dataclass(frozen=True)
class Public:
    """One public table.

    Attributes
    ----------
    name, domain, what
        What it is called here, where it comes from, and what one row is.
    problem_type, target
        What people predict with it.
    rows
        About how many.
    origin
        `scikit-learn` and `statsmodels` are installed with this package; a number is an id on openml.org.
    licence
        As far as its publisher states one.
    """

    name: str
    domain: str
    what: str
    problem_type: str
    target: str
    rows: int
    origin: str
    licence: str

    @property
    def offline(self) -> bool:
        return not self.origin.startswith("openml ")


# name | domain | one row is | problem type | target | rows | origin | licence
CATALOGUE = """
randhie | health insurance | a year of a person in the RAND experiment | regression | mdvis | 20190 | statsmodels | free
breast_cancer | medicine | a tumour, measured | classification | diagnosis | 569 | scikit-learn | CC BY 4.0
diabetes | medicine | a patient, and the disease a year later | regression | progression | 442 | scikit-learn | free
fair | surveys | a woman asked about her marriage | regression | affairs | 6366 | statsmodels | free
anes96 | surveys | a voter asked before an election | classification | vote | 944 | statsmodels | free
engel | households | a household's income and its food | regression | foodexp | 235 | statsmodels | free
wine | chemistry | a wine, analysed | classification | cultivar | 178 | scikit-learn | CC BY 4.0
iris | biology | a flower, measured | classification | species | 150 | scikit-learn | CC BY 4.0
telco_churn | telecom | a customer, and whether they left | classification | Churn | 7043 | openml 42178 | see there
credit_g | banking | a German loan, good or bad | classification | class | 1000 | openml 31 | CC BY 4.0
bank_marketing | banking | a customer called about a deposit | classification | Class | 45211 | openml 1461 | CC BY 4.0
adult | census | a person, and whether they earn much | classification | class | 48842 | openml 1590 | CC BY 4.0
motor_claims | insurance | a motor policy and its claims | regression | ClaimNb | 678013 | openml 41214 | see there
bike_sharing | mobility | an hour of a city's rented bicycles | regression | count | 17379 | openml 42712 | see there
"""
TABLES = tuple(
    Public(name, domain, what, problem, target, int(rows), origin, licence)
    for name, domain, what, problem, target, rows, origin, licence in (
        [cell.strip() for cell in line.split("|")] for line in CATALOGUE.strip().splitlines()
    )
)


def find(name: str) -> Public:
    """Give one table of the catalogue.

    Parameters
    ----------
    name
        With or without `public://`.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    short = name.removeprefix(PUBLIC_SCHEME).strip("/")
    found = next((table for table in TABLES if table.name == short), None)
    if found is None:
        known = [table.name for table in TABLES]
        raise UserError(
            "The catalogue has no such public table.",
            found=name,
            expected=", ".join(known),
            fix=f"see `lab2live simulate --list`{did_you_mean(short, known)}",
        )
    return found


def load(name: str, folder: Path) -> Path:
    """Give a public table as a CSV in a folder, fetching it when it is not there yet.

    Raises
    ------
    UserError
        If it is not known, or has to be downloaded and cannot.
    """
    table = find(name)
    path = folder / f"{table.name}.csv"
    if not path.is_file():
        from lab2live import files

        frame = _installed(table) if table.offline else _downloaded(table)
        files.write_bytes(path, frame.to_csv(index=False, lineterminator="\n").encode())
    return path


def _installed(table: Public) -> pd.DataFrame:
    if table.origin == "statsmodels":
        from statsmodels import datasets

        return getattr(datasets, table.name).load_pandas().data
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{table.name}")(as_frame=True)
    outcome = bunch.target
    if table.problem_type == "classification":
        outcome = pd.Series(bunch.target_names[bunch.target], index=bunch.data.index)
    return bunch.data.assign(**{table.target: outcome})


def _downloaded(table: Public) -> pd.DataFrame:
    from sklearn.datasets import fetch_openml

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(PATIENCE)  # scikit-learn sets none, and would wait for ever
    try:
        number = int(table.origin.removeprefix("openml "))
        with warnings.catch_warnings(action="ignore"):  # of the retry: what matters is how it ends
            return fetch_openml(data_id=number, as_frame=True, parser="auto", cache=False, n_retries=1).frame
    except Exception as error:  # whatever stands between here and there
        offline = ", ".join(other.name for other in TABLES if other.offline)
        raise UserError(
            f"The public table {table.name} has to be downloaded, and could not be.",
            where=f"www.openml.org, data set {number}",
            found=f"{type(error).__name__}: {error}",
            expected="a connection to openml.org",
            fix=f"try again with a connection, or take one that needs none: {offline}",
        ) from error
    finally:
        socket.setdefaulttimeout(before)
