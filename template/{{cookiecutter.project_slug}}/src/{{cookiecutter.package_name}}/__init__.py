"""What belongs to this project alone: features, business rule, models, gates and checks of your own. Yours to edit."""
