"""The page of a run of several stages: its summary, its progress and its log, kept up to date as stages end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import cast
from uuid import UUID

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from difsims_core.messages import first_line
from flows.ui import markdown
from flows.ui.artifacts import SUMMARY, answers
from flows.ui.progress import TrackedWork, log_line, track_progress


class RunPage:
    """What is known of a run so far.

    Parameters
    ----------
    what, on
        What runs, and on what: a line each.
    stages
        How many there are.
    work
        The progress of the run.
    """

    def __init__(self, what: str, on: str, stages: int, work: TrackedWork) -> None:
        self.what, self.on, self.stages, self.good = what, on, stages, ""
        self._work, self._done, self._where = work, 0, {}
        text, described = self._text("begun"), markdown.text(f"{what}: begun")
        self._artifact = cast("UUID", create_markdown_artifact(text, key=SUMMARY, description=described))

    def stage_done(self, told: str, where: Mapping[str, str] | None = None, *, good: str = "") -> None:
        """Say that a stage has ended.

        Parameters
        ----------
        told
            What it has made.
        where
            Name → URL of that.
        good
            How good it is; said until a later stage knows better.
        """
        self._done += 1
        self._where |= where or {}
        self.good = good or self.good
        log_line(f"{self._done} of {self.stages}: {told}")
        self._work.update(SUMMARY, self._done, told)
        self._update("complete" if self._done == self.stages else f"{self._done} of {self.stages} stages, {told}")

    def stop(self, reason: str) -> None:
        """Say that the run ends before its last stage."""
        self._update(f"stopped after {self._done} of {self.stages} stages: {reason}; what is finished is kept")

    def _update(self, far: str) -> None:
        change = ArtifactUpdate(data=self._text(far), description=markdown.text(f"{self.what}: {far}"))
        with get_client(sync_client=True) as client:
            client.update_artifact(self._artifact, change)

    def _text(self, far: str) -> str:
        return answers(what=self.what, on=self.on, far=far, good=self.good, where=self._where)


@contextmanager
def run_page(key: str, what: str, on: str, stages: int) -> Iterator[RunPage]:
    """Keep the page of a run while its stages run; ``key`` names the run among those of this process."""
    with track_progress(key, key, stages, "stages") as work:
        page = RunPage(what, on, stages, work)
        try:
            yield page
        except Exception as error:
            page.stop(first_line(error))
            raise
