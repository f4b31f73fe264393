"""Kernels for measured frames: the direct beam, spots, integration around each pattern's own centre."""
