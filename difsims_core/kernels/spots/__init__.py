"""Excited reflections and their spots."""
