"""What all tests share."""

import os

from hypothesis import settings

# On a server a red test must mean a change, not a new random draw; at home the search goes on.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI") or os.environ.get("LAB2LIVE_REQUIRE_ALL") == "1":
    settings.load_profile("ci")
