"""How sure is an answer: whether probabilities are right, and what can be promised about a single case."""
