"""Deterministic treatment of profiles, identical for simulated and measured data (PHYSICS §§2, 7)."""
