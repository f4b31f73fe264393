"""What a run leaves in Prefect's UI: tables, links to objects of the store, tags, and the word "reused"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.states import Completed

from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore

T = TypeVar("T")


def artifact_key(text: str) -> str:
    """Return a text in the letters that Prefect allows in keys: lower case, digits, dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def table(key: str, rows: Sequence[Mapping[str, Any]], description: str) -> None:
    """Leave a table."""
    create_table_artifact([dict(row) for row in rows], key=artifact_key(key), description=description)


def figure(
    store: ObjectStore, owner: str, name: str, draw: Callable[[], bytes], description: str, *, redraw: bool = False
) -> str:
    """Leave a link to a figure among those of ``owner``, an id, and return its URL; it is drawn unless it exists."""
    key = layout.figure(owner, name)
    if redraw or not store.exists(key):
        store.write(key, draw())
    url = store.url(key)
    create_link_artifact(url, link_text=name, key=artifact_key(name.rsplit(".", 1)[0]), description=description)
    return url


def links(key: str, urls: Mapping[str, str], description: str) -> None:
    """Leave a list of links to objects."""
    lines = [f"- [{text}]({url})" for text, url in urls.items()]
    create_markdown_artifact(
        "\n".join([f"### {description}", "", *lines]), key=artifact_key(key), description=description
    )


def tag_run(*tags: str) -> None:
    """Add tags to the flow run at work: ids that are known only once it has begun."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    context.flow_run.tags = sorted({*context.flow_run.tags, *tags})
    with get_client(sync_client=True) as client:
        client.update_flow_run(context.flow_run.id, tags=context.flow_run.tags)


def reused(value: T, message: str) -> T:
    """Return a final state that says nothing had to be done; whoever called the flow gets ``value``."""
    context = FlowRunContext.get()
    if context is None:
        return value
    if context.flow_run is not None:
        with get_client(sync_client=True) as client:
            client.update_flow_run(context.flow_run.id, name=f"{context.flow_run.name} (reused)")
    return cast("T", Completed(name="Reused", message=message, data=value))


def short_count(n: int) -> str:
    """Return a count as people write it: 300k, 75k, 1.5M."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if n >= size:
            return f"{n / size:.3g}{letter}"
    return str(n)
