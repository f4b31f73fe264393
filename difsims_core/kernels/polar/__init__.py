"""Polar patterns."""
