"""A model that somebody else can run: the bundle and its card."""
