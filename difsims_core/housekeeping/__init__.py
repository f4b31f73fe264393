"""What keeps a store in order: lineage, retention, backup, checks."""
