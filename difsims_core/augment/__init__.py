"""What a microscope does to a pattern, training data only; one family a file (PHYSICS §§5–7)."""
