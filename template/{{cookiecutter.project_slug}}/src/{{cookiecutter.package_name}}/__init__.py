"""What belongs to this project alone: `features.py` (the inputs) and `rules.py` (the business rule). Yours to edit."""
