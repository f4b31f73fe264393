"""npz files: their contracts, limits, seals and members."""
