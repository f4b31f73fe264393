"""Plan, simulate, build, open, verify and export datasets (DESIGN §4)."""
