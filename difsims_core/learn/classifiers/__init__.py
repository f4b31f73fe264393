"""Classifiers: an interface, and a file for each kind; found by name in `families.CLASSIFIERS`."""
