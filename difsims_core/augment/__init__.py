"""What a microscope does to a pattern, training data only; one family a file (docs/physics.md §§5–7)."""
