"""Predict the phase maps of measured scans with a trained model."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from difsims_core.errors import ExperimentError, InputError
from difsims_core.storage.npz import experiment_name
from difsims_core.storage.objects import expand_urls, open_store
from flows.artifacts import links, reused, tag_run
from flows.parameters import Experiments, Model, StoreUrl
from flows.progress import say, working
from flows.tasks import predict_one


def distinct_scans(urls: list[str]) -> list[str]:
    """Return the scans; refuse two of the same name, whose predictions would overwrite each other."""
    names: dict[str, str] = {}
    for url in urls:
        other = names.setdefault(experiment_name(url), url)
        if other != url:
            raise InputError(
                f"{other} and {url} have the same name, and so would their predictions; rename one of them"
            )
    return urls


def _run_name() -> str:
    model, experiments = flow_run.parameters["model"], flow_run.parameters["experiments"]
    names = ", ".join(item.rsplit("/", 1)[-1] for item in experiments[:3])
    return f"predict {names} with {model.rsplit('/', 1)[-1][:12]}"


@flow(name="predict", flow_run_name=_run_name, persist_result=False, result_serializer="json")
def predict(model: Model, experiments: Experiments, store: StoreUrl = None) -> list[str]:
    """Predict phase maps and return the URLs of the predictions; those of the same scan and model are kept.

    Parameters
    ----------
    model
        Id or URL of a trained model.
    experiments
        Files, folders, globs or URLs of measured profiles.
    store
        Root URL of the store; default: ``DIFSIMS_STORE``.
    """
    root = open_store(store).root
    urls = distinct_scans(expand_urls(experiments))
    results, failures = [], []
    with working(f"predict {model}", "predicting", len(urls), "maps") as work:
        for done, url in enumerate(urls, start=1):
            try:
                results.append(predict_one(root, model, url))
            except ExperimentError as error:
                failures.append(str(error))
            work.reach("maps", done, experiment_name(url))
    tag_run(*{result["model"] for result in results}, *(result["name"] for result in results))
    links("predictions", {result["name"]: result["url"] for result in results}, "Predicted phase maps")
    for result in results:
        if result["n_invalid"]:
            say(f"{result['name']}: {result['n_invalid']} pixels without a usable profile got a uniform probability")
    fresh = [result["name"] for result in results if not result["reused"]]
    found = [result["url"] for result in results]
    if fresh:
        say(f"predicted {', '.join(fresh)}")
    if failures:
        others = f"; the other {len(found)} are predicted" if found else ""
        raise ExperimentError(
            f"{len(failures)} of {len(urls)} scans cannot be predicted{others}: {' · '.join(failures)}"
        )
    if fresh:
        return found
    message = f"reused the predictions of {', '.join(result['name'] for result in results)}: same scans and model"
    say(message)
    return reused(found, message)
