"""When does the model fail: in which kinds of cases it is worse than it says, and what it has never seen."""
