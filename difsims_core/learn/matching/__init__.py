"""Matching with templates: what they are, how they are computed, and the search among them (docs/physics.md §12)."""
