"""The dynamical engine: Bloch waves (docs/physics.md §11)."""
