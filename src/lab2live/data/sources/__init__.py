"""Silos: opening a source where it lies, and saying in words why it cannot be opened."""
