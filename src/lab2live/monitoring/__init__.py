"""Is the model still what was handed over? A batch of new cases held against the bundle's baseline (G4)."""
