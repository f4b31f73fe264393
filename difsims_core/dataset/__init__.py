"""Plan, simulate, build, open, verify and export datasets (docs/architecture.md §4)."""
