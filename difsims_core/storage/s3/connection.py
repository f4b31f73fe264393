"""The connection to S3 of the present environment; one for each process and each set of ``AWS_`` variables."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from difsims_core.storage.s3.retries import watch_retries

_CONNECTIONS: dict[tuple[int, str], Any] = {}


def identity() -> tuple[int, str]:
    """Return (process, digest of the settings): connections are shared only between equal ones."""
    settings = sorted((key, value) for key, value in os.environ.items() if key.startswith("AWS_"))
    return os.getpid(), hashlib.sha256(repr(settings).encode()).hexdigest()


def connection() -> Any:
    """Return the file system of the present environment.

    botocore reads the credentials and the endpoint from the environment itself, so that no object of ours holds them.
    s3fs would hand out an instance made with other credentials: its own cache is bypassed.
    """
    found = identity()
    if found not in _CONNECTIONS:
        import s3fs
        from aiobotocore.session import AioSession

        session = AioSession()
        watch_retries(session)
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        own_server = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        _CONNECTIONS[found] = s3fs.S3FileSystem(
            session=session,
            skip_instance_cache=True,
            use_listings_cache=False,
            client_kwargs={"region_name": region} if region else {},
            config_kwargs={
                "connect_timeout": 10,
                "read_timeout": 60,
                "max_pool_connections": 32,
                "retries": {"max_attempts": 4, "mode": "standard"},
                # links are signed by version 2 otherwise, which newer regions and servers refuse
                "signature_version": "s3v4",
                # servers other than AWS seldom answer at bucket.host
                "s3": {"addressing_style": "path" if own_server else "auto"},
            },
        )
    return _CONNECTIONS[found]
