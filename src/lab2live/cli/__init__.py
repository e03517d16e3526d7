"""`lab2live ...`: thin commands over the packages."""
