"""Whether a model solves the business ask: the ladder of models and what a decision is worth."""
