"""What would flip it (T2b): which changes are allowed, the search for the smallest, and how it is told."""
