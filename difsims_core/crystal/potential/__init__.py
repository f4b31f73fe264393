"""The potential of a crystal as beams feel it (docs/physics.md §11)."""
