"""Zarr groups of a store: metadata, arrays, shards."""
