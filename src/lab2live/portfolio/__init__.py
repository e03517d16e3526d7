"""Many projects side by side (G3): where each stands, what they may bring together, what the stopped ones teach."""
