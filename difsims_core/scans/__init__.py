"""Measured scans in the store: which are there, which maps are missing."""
