"""Scores of maps and the report of a run."""
