"""Deterministic treatment of profiles, identical for simulated and measured data (docs/physics.md §§2, 7)."""
