"""The checks of the data: what is known of a source, what each check looks for, and its findings."""
