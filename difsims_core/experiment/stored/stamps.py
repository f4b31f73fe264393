"""Whether a file is still the one that was opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from difsims_core.errors import ExperimentError


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file at the moment it was opened.

    Attributes
    ----------
    path : str
        Of the file.
    size : int
        Bytes.
    modified_ns : int
        When it was last written, ns.
    inode : int
        Another one when another file was put in its place.
    """

    path: str
    size: int
    modified_ns: int
    inode: int

    @classmethod
    def of(cls, path: str | Path) -> FileStamp:
        """Return the stamp of a file as it is now.

        Raises
        ------
        ExperimentError
            If there is none.
        """
        try:
            state = Path(path).stat()
        except OSError as error:
            raise ExperimentError(f"{path}: {error.strerror or error}", "check the path") from None
        return cls(str(path), state.st_size, state.st_mtime_ns, state.st_ino)

    def require_unchanged(self) -> None:
        """Refuse to go on with a file that was written to, replaced or removed.

        Raises
        ------
        ExperimentError
            If it was.
        """
        if FileStamp.of(self.path) != self:
            raise ExperimentError(
                f"{self.path}: changed while it was being read", "wait until it is written, then start again"
            )
