"""Random numbers by counter."""
