"""Names of keys over time: first names that are still read, and documents as fingerprints see them."""
