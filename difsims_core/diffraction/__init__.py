"""From draws to spots to noise-free profiles (PHYSICS §§4–5)."""
