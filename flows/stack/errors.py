"""What can go wrong with a stack, beside the errors of the store."""

from __future__ import annotations

from difsims_core.errors import DifsimsError, InputError


class StackError(DifsimsError):
    """A service of the stack does not start, does not answer or does not stop."""


class StackOptionError(InputError):
    """An option of ``difsims up`` cannot be used with this folder or on this machine."""
