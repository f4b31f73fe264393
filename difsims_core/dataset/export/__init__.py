"""A dataset as files for other programs: one file for each format, behind one interface."""
