"""From sources to a data set: readers, joins, feature types, encoding, splits, intervals."""
