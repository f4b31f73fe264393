"""Crystal files: text → tables → symmetry and sites → every atom of the cell (docs/physics.md §3). gemmi parses;
nothing is evaluated.
"""
