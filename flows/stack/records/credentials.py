"""Secrets of a stack: made once, kept in one file that only its owner may read."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path

from flows.stack.errors import StackError
from flows.stack.records.folder import StackFolder, read_json, write_private

_ACTIONS = {"admin": ["Admin", "Read", "Write", "List", "Tagging"], "reader": ["Read", "List"]}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An identity of S3."""

    access_key: str
    secret_key: str = field(repr=False)

    @classmethod
    def new(cls) -> KeyPair:
        """Return one that nobody can guess."""
        return cls(secrets.token_hex(10).upper(), secrets.token_urlsafe(32))


@dataclass(frozen=True, slots=True)
class Credentials:
    """All secrets of a stack.

    Attributes
    ----------
    admin, reader : KeyPair
        May do everything in the store; may read and list.
    login : str or None
        ``user:password`` of the Prefect server; None: it asks for none.
    """

    admin: KeyPair
    reader: KeyPair
    login: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be seen anywhere else."""
        return (self.admin.secret_key, self.reader.secret_key, *([self.login.split(":", 1)[1]] if self.login else []))


def keep_credentials(folder: StackFolder, *, auth: bool | None) -> Credentials:
    """Return the credentials of a stack; what is missing is made.

    Parameters
    ----------
    folder
        Of the stack.
    auth
        Whether the Prefect server asks for a login; None: as before, at first yes.
    """
    found = _read(folder.credentials)
    kept = found or Credentials(KeyPair.new(), KeyPair.new())
    if auth is None and found is None:
        auth = True
    if auth is False:
        kept = replace(kept, login=None)
    elif auth and kept.login is None:
        kept = replace(kept, login=f"difsims:{secrets.token_urlsafe(24)}")
    if kept != found:
        write_private(folder.credentials, json.dumps(_document(kept), indent=2) + "\n")
    folder.credentials.chmod(0o600)
    return kept


def _document(credentials: Credentials) -> dict[str, object]:
    """Return SeaweedFS's form of the identities; it passes over the key that it does not know."""
    pairs = {"admin": credentials.admin, "reader": credentials.reader}
    identities = [
        {
            "name": name,
            "credentials": [{"accessKey": pair.access_key, "secretKey": pair.secret_key}],
            "actions": _ACTIONS[name],
        }
        for name, pair in pairs.items()
    ]
    return {"identities": identities, "prefect": {"login": credentials.login}}


def _read(path: Path) -> Credentials | None:
    try:
        document = read_json(path)
        if document is None:
            return None
        pairs = {
            item["name"]: KeyPair(item["credentials"][0]["accessKey"], item["credentials"][0]["secretKey"])
            for item in document["identities"]
        }
        return Credentials(pairs["admin"], pairs["reader"], document["prefect"]["login"])
    except (ValueError, KeyError, IndexError, TypeError):
        # The message of the parser could quote the file.
        raise StackError(
            f"{path}: not what `difsims up` writes", "put the original back, or remove it to get new credentials"
        ) from None
