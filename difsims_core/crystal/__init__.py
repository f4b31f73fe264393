"""From crystal files to phases, reflections and orientations (PHYSICS §3)."""
