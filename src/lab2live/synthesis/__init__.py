"""Data nobody has yet: simulated from the charter or a sample, public ones, and faults planted on purpose."""
