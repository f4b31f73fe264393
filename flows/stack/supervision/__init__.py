"""What keeps the programs running."""
