"""Whether a raw scan can be trusted: its verdict, and its figures."""
