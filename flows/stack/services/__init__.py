"""The programs of the stack."""
