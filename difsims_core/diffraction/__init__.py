"""From draws to spots to noise-free profiles (docs/physics.md §§4–5)."""
