"""From a cell of a notebook to the verdict: context, execution, the store of runs, the decision."""
