"""Engines: how crystals diffract, a file each, named in `families.ENGINES`; what a detector sees is common to all."""
