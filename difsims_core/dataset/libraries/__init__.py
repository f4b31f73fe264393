"""Libraries of beam directions in the store, each computed once (docs/architecture.md §4)."""
