"""How a figure of the store reaches a browser: by a public link, by a signed link, or inside the artifact itself."""

from __future__ import annotations

import base64
import io
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from difsims_core.storage.names import as_written
from difsims_core.storage.objects import ObjectStore
from flows.settings import load_settings

_DAY = 24 * 60 * 60
# (width in pixels, quality), the best first. Not a palette: few colours would swap those of the phases.
_SIZES = ((800, 60), (720, 45), (640, 40), (560, 35), (480, 30), (400, 25), (320, 20))
THUMBNAIL_BYTES = 12_000


def browser_url(store: ObjectStore, key: str) -> tuple[str, str] | None:
    """Return an address at which a browser finds an object and how long it lasts, or None when there is none.

    None is signed with temporary credentials.

    Parameters
    ----------
    store
        Where the object is.
    key
        Its key.
    """
    settings = load_settings()
    way = settings.figure_links
    if settings.public_url and way in ("auto", "public"):
        return f"{settings.public_url.rstrip('/')}/{quote(key)}", "public link"
    link = store.signed_url(key, settings.link_days * _DAY) if way in ("auto", "signed") else None
    if link is not None and not holds_token(link):
        until = datetime.now(UTC) + timedelta(days=settings.link_days)
        return link, f"this link lasts until {until:%Y-%m-%d}"
    return None


def holds_token(link: str) -> bool:
    """Return whether a link was signed with temporary credentials: it holds their token, a secret."""
    return "X-Amz-Security-Token" in link


def picture_url(store: ObjectStore, key: str) -> tuple[str, str]:
    """Return an address that an ``<img>`` of the UI can load and a remark on it.

    Without a link it is a data: URI with a thumbnail; the URI names the object, because the UI prints it.
    """
    found = browser_url(store, key)
    if found is not None:
        return found
    location = quote(location_of(store, key), safe="/")
    picture = base64.b64encode(thumbnail(store.read(key))).decode()
    # Browsers take the line end out of the address; the UI, which prints it too, breaks its line there.
    return f"data:image/webp;name={location};base64,\n{picture}", "shown small"


def location_of(store: ObjectStore, key: str) -> str:
    """Return where an object lies as people write it: a path, or a URL."""
    return as_written(store.url(key))


def thumbnail(picture: bytes) -> bytes:
    """Return a picture as WebP, as good as fits into `THUMBNAIL_BYTES` (its smallest form if none does).

    Parameters
    ----------
    picture
        A PNG.
    """
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as opened:
        whole = opened.convert("RGB")
    small = b""
    for most, quality in _SIZES:
        width = min(most, whole.width)
        size = (width, max(1, round(whole.height * width / whole.width)))
        buffer = io.BytesIO()
        whole.resize(size, Image.Resampling.LANCZOS).save(buffer, "WEBP", quality=quality, method=6)
        small = buffer.getvalue()
        if len(small) <= THUMBNAIL_BYTES:
            break
    return small
