"""Parameters of a deployment: what cannot be is refused before a run exists, with the field and the reason."""

from __future__ import annotations

import pytest
from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.exceptions import PrefectHTTPStatusError

from difsims_core.config.documents import read_document
from difsims_core.resources import specs_folder
from flows.simulate import simulate

pytestmark = pytest.mark.service

NAME = "simulate/of-the-tests"


@pytest.fixture(scope="module", autouse=True)
def deployment() -> None:
    simulate.to_deployment(NAME.split("/")[1]).apply()


def runs() -> int:
    with get_client(sync_client=True) as client:
        return client.request(
            "POST", "/flow_runs/count", json={"deployments": {"name": {"any_": ["of-the-tests"]}}}
        ).json()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"n_patterns": 0}, "'spec.n_patterns'. Failure reason: 0 is less than the minimum of 1"),
        ({"n_patterns": "many"}, "'spec.n_patterns'. Failure reason: 'many' is not of type 'integer'"),
        ({"n_pattern": 10}, "'n_pattern' was unexpected"),
        ({"detector": {"size_px": 3}}, "'spec.detector.size_px'. Failure reason: 3 is less than the minimum of 32"),
    ],
)
def test_a_parameter_out_of_range_is_refused(spec, said):
    before = runs()
    with pytest.raises(PrefectHTTPStatusError) as caught:
        run_deployment(NAME, parameters={"spec": spec}, timeout=0)
    assert said in str(caught.value)
    assert runs() == before


@pytest.mark.parametrize("name", ["reference.yaml", "realistic.yaml", "bulk.yaml", "historical.yaml"])
def test_the_documents_that_come_along_are_accepted(name):
    """With their short forms: a bare name for a phase, a bare number for a quantity."""
    document = read_document(specs_folder() / name)
    before = runs()
    run_deployment(NAME, parameters={"spec": document}, timeout=0)
    assert runs() == before + 1
