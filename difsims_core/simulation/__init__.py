"""A document and a range of patterns in, a block in memory out."""
