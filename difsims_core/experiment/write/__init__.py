"""Preprocessed scans in the store: whole or not at all, resumed where they stopped."""
