"""The machinery behind the notebooks: each room computes the evidence for one stage on the way from the lab to live.

Nothing is imported here, so that `lab2live --help` and a notebook's first cell stay fast: take what you need from its
room, e.g. ``from lab2live.eda.checks import quality``.
"""

__version__ = "0.1.0"
