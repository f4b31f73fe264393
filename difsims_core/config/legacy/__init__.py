"""Parameter documents of the platform that this one succeeds, read as what its code really did.

See docs/physics.md §§4, 6, 7.
"""
