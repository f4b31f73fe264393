"""Numba kernels: arrays in, arrays out, no policy; they import nothing of ours."""
