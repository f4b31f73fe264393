"""Whether a preprocessed scan can be trusted."""
