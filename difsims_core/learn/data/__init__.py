"""Streams of training data and their split."""
