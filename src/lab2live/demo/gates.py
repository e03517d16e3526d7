"""Gates of your own: what else must hold. Any notebook may judge them, and they count in the verdict."""

from lab2live import Gate

# A worked example, judged in notebooks/06_own_analysis.ipynb. With `must_pass=True` a fail makes the project a no-go.
GATES = [
    Gate(
        id="own.rows",
        requirement="L3",
        title="Rows",
        question="Are there enough rows to learn from?",
        better="higher",
        warn=1000,
        fail=100,
        unit="rows",
        must_pass=False,
    ),
]
