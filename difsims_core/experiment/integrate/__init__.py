"""Frames to profiles and polar patterns."""
