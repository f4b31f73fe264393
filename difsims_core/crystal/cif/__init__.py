"""Crystal files: text → tables → symmetry and sites → every atom of the cell (PHYSICS §3). gemmi parses; nothing is
evaluated.
"""
