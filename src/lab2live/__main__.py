"""``python -m lab2live``: the same as the ``lab2live`` command, with the package that this Python finds first."""

from lab2live.cli.main import main

raise SystemExit(main())
