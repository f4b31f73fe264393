"""A microscope's raw scan: read it, correct it, integrate it to profiles and polar patterns."""
