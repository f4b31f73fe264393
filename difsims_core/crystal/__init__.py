"""From crystal files to phases, reflections and orientations (docs/physics.md §3)."""
