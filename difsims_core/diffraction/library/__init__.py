"""Libraries: what leaves a crystal for many directions of the beam, computed once (docs/physics.md §3)."""
