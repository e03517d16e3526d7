"""What a decision is worth, what the model earns against doing without it, and which assumption kills it."""
