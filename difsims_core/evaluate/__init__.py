"""Score phase maps: metrics with labels, peak positions without, figures and the report (docs/physics.md §10)."""
