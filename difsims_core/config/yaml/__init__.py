"""YAML of documents: a plain subset is read and written."""
