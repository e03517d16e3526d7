"""Why the model says what it says."""
