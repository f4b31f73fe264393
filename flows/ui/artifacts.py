"""What a run leaves in Prefect's UI: tables, pictures, links to objects of the store, a summary, tags.

The UI takes cells, descriptions and texts for Markdown; what is handed in here is plain text, and is shown as it is.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from difsims_core.messages import printable, shortened
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore
from flows.ui import markdown
from flows.ui.figure_links import browser_url, location_of, picture_url
from flows.ui.flow_context import run_at_work

SUMMARY = "summary"
_LONGEST_TAG = 200


def artifact_key(text: str) -> str:
    """Return a text in the letters that Prefect allows in keys: lower case, digits, dashes.

    Where more than underscores is lost, a digest keeps two texts apart.
    """
    key = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if key == text.replace("_", "-"):
        return key
    return f"{key}-{hashlib.sha256(text.encode()).hexdigest()[:8]}".strip("-")


def table(key: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    """Leave a table; numbers have four figures."""
    from prefect.artifacts import create_table_artifact

    create_table_artifact(cells(rows), key=artifact_key(key), description=markdown.text(description))


def cells(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a table as the UI takes them."""
    return [{name: _cell(value) for name, value in row.items()} for row in rows]


def figure(store: ObjectStore, owner: str, name: str, draw: Callable[[], bytes], description: str) -> str:
    """Leave a figure among those of ``owner``, an id, as a picture; return its URL. It is drawn unless it exists."""
    key = layout.figure(owner, name)
    if not store.exists(key):
        store.write(key, draw())
    return picture(store, name.rsplit(".", 1)[0], key, description)


def picture(store: ObjectStore, name: str, key: str, description: str) -> str:
    """Leave a stored picture under a name; return its URL."""
    from prefect.artifacts import create_image_artifact

    shown, remark = picture_url(store, key)
    create_image_artifact(
        image_url=shown,
        key=artifact_key(name),
        description=f"{markdown.text(description)} · {markdown.code(location_of(store, key))} ({remark})",
    )
    return store.url(key)


def links(key: str, urls: Mapping[str, str], description: str) -> None:
    """Leave a list of objects and where they are."""
    page(key, f"### {markdown.text(description)}", "", *_places(urls), description=description)


def link(store: ObjectStore, key: str, object_key: str, description: str) -> str | None:
    """Leave the place of an object, and a link that a browser can open; return that, or None where there is none."""
    found = browser_url(store, object_key)
    opened = [] if found is None else [f"{markdown.link('open', found[0])} ({found[1]})\n"]
    location = markdown.code(location_of(store, object_key))
    page(key, f"### {markdown.text(description)}", "", *opened, location, description=description)
    return None if found is None else found[0]


def page(key: str, *lines: str, description: str) -> None:
    """Leave lines of Markdown, whose names are text, code or links of `flows.ui.markdown`."""
    from prefect.artifacts import create_markdown_artifact

    create_markdown_artifact("\n".join(lines), key=artifact_key(key), description=markdown.text(description))


def summary(*, what: str, on: str, far: str, good: str = "", where: Mapping[str, str] | None = None) -> None:
    """Leave the page that answers what ran, on what, how far, how good, where it is.

    Parameters
    ----------
    what, on, far, good
        A line each; without ``good`` nothing is said of it.
    where
        Name → URL of what was made.
    """
    page(SUMMARY, answers(what=what, on=on, far=far, good=good, where=where), description=f"{what}: {far}")


def answers(*, what: str, on: str, far: str, good: str = "", where: Mapping[str, str] | None = None) -> str:
    """Return the text of a summary."""
    lines = {"What ran": what, "On what": on, "How far": far, "How good": good}
    text = [f"**{question}:** {markdown.text(answer)}\n" for question, answer in lines.items() if answer]
    return "\n".join(text + (["**Where:**\n", *_places(where)] if where else []))


def tag_run(*tags: str) -> None:
    """Add tags to the flow run at work: ids that are known only once it has begun.

    Not by ``prefect.tags``, which reaches the tasks of the run as well: each task with a tag asks the server for a slot
    of that tag before it begins, which now and then takes two seconds.
    """
    context = run_at_work()
    if context is None or context.flow_run is None:
        return
    from prefect.client.orchestration import get_client

    shown = (shortened(printable(tag), _LONGEST_TAG) for tag in tags)
    context.flow_run.tags = sorted({*context.flow_run.tags, *shown})
    with get_client(sync_client=True) as client:
        client.update_flow_run(context.flow_run.id, tags=context.flow_run.tags)


def short_count(n: int) -> str:
    """Return a count as people write it: 300k, 75k, 1.5M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if n >= size:
            return f"{n / size:.3g}{letter}"
    return str(n)


def _places(urls: Mapping[str, str]) -> list[str]:
    return [f"- {markdown.link(name, url)}" for name, url in urls.items()]


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return markdown.text(value)
    return float(f"{value:.4g}") if isinstance(value, float) and math.isfinite(value) else value
