"""What a reader of a file format must be able to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from difsims_core.config.raw_scans.reading import ReadingSpec
from difsims_core.experiment.stored.recording import Recording

HEAD_BYTES = 1024
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class ScanReader(ABC):
    """A file format: how to know it, and how to open it without reading its frames.

    A reader never evaluates or unpickles what it reads, and follows names in a file only to files beside it.

    Attributes
    ----------
    file_format : str
        For people.
    suffixes : tuple of str
        Endings of its files' names, in small letters.
    general : bool
        It reads a container whatever is in it, and is asked after those who know a content.
    """

    file_format: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    general: ClassVar[bool] = False

    @abstractmethod
    def recognises(self, path: Path, head: bytes) -> bool:
        """Return whether a file is of this format, by its first kilobyte, its name or what it holds."""

    def beside(self, name: str, others: Sequence[str]) -> list[str]:  # noqa: ARG002 what others look at
        """Return which of the files in the same folder belong to the one of this name."""
        return []

    def is_part(self, name: str) -> bool:  # noqa: ARG002 what others look at
        """Return whether a file of this name is a part of a scan that another one begins, or stands for."""
        return False

    @abstractmethod
    def open(self, path: Path, reading: ReadingSpec) -> Recording:
        """Return frames and what the file says about them.

        Raises
        ------
        ExperimentError
            If it is damaged, or holds no patterns.
        """
