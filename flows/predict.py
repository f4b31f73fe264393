"""Predict the phase maps of measured scans with a trained model."""

from __future__ import annotations

from prefect import flow
from prefect.runtime import flow_run

from difsims_core.storage.objects import expand_urls, open_store
from flows.artifacts import links, reused, tag_run
from flows.parameters import Experiments, Model, StoreUrl
from flows.progress import say, working
from flows.tasks import predict_one


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
    urls = expand_urls(experiments)
    results = []
    with working(f"predict {model}", "predicting", len(urls), "maps") as work:
        for done, url in enumerate(urls, start=1):
            result = predict_one(root, model, url)
            results.append(result)
            work.reach("maps", done, result["name"])
    tag_run(*{result["model"] for result in results}, *(result["name"] for result in results))
    links("predictions", {result["name"]: result["url"] for result in results}, "Predicted phase maps")
    for result in results:
        if result["n_invalid"]:
            say(f"{result['name']}: {result['n_invalid']} pixels without a usable profile got a uniform probability")
    fresh = [result["name"] for result in results if not result["reused"]]
    found = [result["url"] for result in results]
    if fresh:
        say(f"predicted {', '.join(fresh)}")
        return found
    message = f"reused the predictions of {', '.join(result['name'] for result in results)}: same scans and model"
    say(message)
    return reused(found, message)
