"""How a bundle is deployed: the same bytes every time, what it needs, where it runs, and what it was measured to do."""
