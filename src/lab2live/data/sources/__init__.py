"""Sources: opened where they lie, or told in words why they cannot be opened."""
