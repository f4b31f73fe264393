"""Kernels of matching: patterns against many templates, at every turn and mirror (docs/physics.md §12)."""
