"""What the data are worth: the silos, their quality, their profile."""
