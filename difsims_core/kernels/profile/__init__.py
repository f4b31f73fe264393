"""Radial profiles."""
