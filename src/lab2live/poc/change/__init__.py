"""What becomes of the model when live data differ from those it has learnt from."""
