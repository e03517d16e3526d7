"""What the columns know about the outcome, whether they know too much, and whether the outcome can be trusted."""
