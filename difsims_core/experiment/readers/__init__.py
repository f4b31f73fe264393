"""File formats of raw scans, one file each."""
