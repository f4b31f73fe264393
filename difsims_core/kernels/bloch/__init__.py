"""Dynamical diffraction by Bloch waves: beams, their matrix, its propagator (docs/physics.md §11)."""
