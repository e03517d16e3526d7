"""Which model, from the simplest upwards: compared on the same cases, within what the data allow."""
