"""Imperfections that are diffraction."""
