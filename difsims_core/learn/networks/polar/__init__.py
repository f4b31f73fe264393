"""Networks of polar patterns whose answer is the same however the specimen lies in the plane (docs/physics.md §12)."""
