"""Evaluate predicted maps: peak positions without labels, and truth maps where there are any."""

from __future__ import annotations

from typing import Any

from prefect import flow, tags
from prefect.runtime import flow_run

from difsims_core.storage.npz import TRUTH_ENDING
from difsims_core.storage.objects import expand_urls, files_in, open_store
from flows.artifacts import reused, table, tag_run
from flows.illustrate import show_evaluation
from flows.parameters import CrystalFolder, ExperimentFolder, Predictions, StoreUrl, TruthFolder
from flows.progress import say, working
from flows.tasks import score


def _run_name() -> str:
    count = len(flow_run.parameters["predictions"])
    return f"evaluate {count} prediction{'s' if count != 1 else ''}"


@flow(name="evaluate", flow_run_name=_run_name, persist_result=False, result_serializer="json")
def evaluate(
    predictions: Predictions,
    experiments: ExperimentFolder = None,
    truth: TruthFolder = None,
    crystals: CrystalFolder = None,
    store: StoreUrl = None,
) -> list[dict[str, Any]]:
    """Score predictions and return one row of numbers each; scores of the same inputs are not computed again.

    Parameters
    ----------
    predictions
        Files, folders, globs or URLs.
    experiments
        Folder of the scans; default: where each prediction says that its scan lies.
    truth
        Folder of ``<name>_truth.npz`` maps; used for scores alone.
    crystals
        Folder of CIF files; default: the shipped ones.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    """
    root = open_store(store).root
    urls = expand_urls(predictions)
    for folder, suffix in ((truth, TRUTH_ENDING), (crystals, ".cif")):
        if folder is not None:
            files_in(folder, suffix)
    rows = []
    with working(f"evaluate {urls[0]}", "evaluating", len(urls), "maps") as work:
        for done, url in enumerate(urls, start=1):
            row = score(root, url, experiments, truth, crystals)
            with tags(row["model"], row["map"]):
                show_evaluation(root, url, row["scores"], truth, redraw=not row["reused"])
            tag_run(row["model"], row["map"])
            rows.append(row)
            work.reach("maps", done, row["map"])
    table("evaluation", rows, f"Scores of {len(rows)} maps")
    fresh = [row["map"] for row in rows if not row["reused"]]
    if fresh:
        say(f"evaluated {', '.join(fresh)}")
        return rows
    message = f"reused the scores of {', '.join(row['map'] for row in rows)}: same predictions, truth and crystals"
    say(message)
    return reused(rows, message)
