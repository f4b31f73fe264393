"""Members of families: names are known without imports, those of other packages come by entry points."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from difsims_core.config.documents import make_spec
from difsims_core.config.learning import TrainingSpec
from difsims_core.errors import InputError, SpecError
from difsims_core.evaluate.classification import classification_scores
from difsims_core.families import ENGINES, METRICS, NETWORKS
from difsims_core.plugins import Family
from tests.plugins.packages import install

ROOT = Path(__file__).resolve().parents[2]
HEAVY = "{'tensorflow', 'keras', 'numba', 'orix', 'zarr', 'prefect', 'matplotlib', 'plug'} & set(sys.modules)"
METRIC = """
from dataclasses import dataclass
import numpy as np
from difsims_core.evaluate.base import Metric, Sums

@dataclass(frozen=True)
class Certain(Metric):
    name: str = "certain"
    def measure(self, probabilities, labels):
        certain = (probabilities.max(axis=1, initial=0) > 0.9).sum()
        return Sums({"certain": np.array(certain), "n": np.array(len(labels))})
    def finalise(self, sums, class_names):
        return {self.name: float(sums["certain"] / max(1, sums["n"]))}

certain, accuracy = Certain(), Certain("accuracy")
"""


def run(site: Path, code: str) -> str:
    """Return what a new process prints that has the packages of ``site``."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_network_of_another_package_is_known_by_its_metadata(tmp_path):
    install(tmp_path, "plug", "raise SystemExit('imported')", {"difsims.networks": {"plugged": "plug:network"}})
    code = f"""
from difsims_core import TrainingSpec
from difsims_core.families import NETWORKS
assert TrainingSpec(network="plugged").network == "plugged"
print('plugged' in NETWORKS.names(), NETWORKS.package("plugged"), NETWORKS.package("large_filter"), {HEAVY})
"""
    assert run(tmp_path, code) == "True plug 1.0 None set()"


@pytest.mark.parametrize(
    ("make", "family"),
    [
        ("TrainingSpec(network='plugge')", "network"),
        ("difsims_core.load_spec('d.yaml', TrainingSpec)", "network"),
        ("difsims_core.families.METRICS['plugge']", "metric"),
        ("difsims_core.families.IMPERFECTIONS['plugge']", "imperfection"),
    ],
)
def test_an_unknown_name_is_refused_before_anything_heavy_is_imported(tmp_path, make, family):
    install(tmp_path, "plug", "raise SystemExit('imported')", {f"difsims.{family}s": {"plugged": "plug:it"}})
    (tmp_path / "d.yaml").write_text("network: plugge\n", encoding="utf-8")
    code = f"""
import os, difsims_core, difsims_core.families
from difsims_core import TrainingSpec
os.chdir({str(tmp_path)!r})
try:
    {make}
except ValueError as error:
    print(error, {HEAVY})
"""
    told = run(tmp_path, code)
    assert re.search(rf"{family} .*'plugge', .*'plugged'", told)
    assert told.endswith("set()")


def test_a_package_that_cannot_be_imported_is_named(site):
    install(site, "broken", "import no_such_module_at_all", {"difsims.networks": {"bad": "broken:network"}})
    with pytest.raises(InputError, match=r"'bad' of broken 1\.0 .*ModuleNotFoundError.*no_such_module_at_all"):
        NETWORKS["bad"]
    assert NETWORKS["large_filter"].__name__ == "large_filter"


def test_a_member_of_another_kind_is_refused(site):
    places = {"difsims.metrics": {"odd": "odd:A"}, "difsims.networks": {"odd": "odd:A", "lost": "odd:B"}}
    install(site, "odd", "A = 3\n", places)
    with pytest.raises(InputError, match=r"odd 1\.0: .*difsims_core\.evaluate\.base\.Metric.* 3"):
        METRICS["odd"]
    with pytest.raises(InputError, match=r"odd 1\.0: .*callable.* 3"):
        NETWORKS["odd"]
    with pytest.raises(InputError, match=r"'lost' of odd 1\.0 .*AttributeError"):
        NETWORKS["lost"]


def test_no_package_takes_a_name_of_our_own(site, caplog):
    install(site, "usurper", METRIC, {"difsims.metrics": {"log_loss": "usurper:certain"}})
    with caplog.at_level(logging.WARNING, "difsims_core.plugins"):
        names = METRICS.names()
    assert names.count("log_loss") == 1
    assert re.search(r"usurper 1\.0: .*'log_loss' .*difsims\.metrics", caplog.text)
    assert type(METRICS["log_loss"]).__module__ == "difsims_core.evaluate.probability_scores"
    assert METRICS.package("log_loss") is None


def test_a_name_of_two_packages_is_refused(site):
    for name in ("first", "second"):
        install(site, name, "def network(): pass", {"difsims.networks": {"same": f"{name}:network"}})
    assert "same" in NETWORKS
    with pytest.raises(InputError, match=r"'same' .*(first|second) 1\.0 .*(first|second) 1\.0"):
        NETWORKS["same"]


def test_a_metric_of_another_package_is_scored_with_the_others(site):
    install(site, "sure", METRIC, {"difsims.metrics": {"certain": "sure:certain"}})
    scores = classification_scores(np.array([[0.95, 0.05], [0.4, 0.6]]), np.array([0, 1]), ("a", "b"))
    assert (scores["certain"], scores["accuracy"]) == (0.5, 1.0)


def test_a_metric_does_not_overwrite_a_score(site):
    install(site, "sure", METRIC, {"difsims.metrics": {"certain": "sure:accuracy"}})
    with pytest.raises(InputError, match=r"'certain' .*'accuracy'"):
        classification_scores(np.eye(2), np.array([0, 1]), ("a", "b"))


def test_a_stored_document_may_name_what_is_not_installed():
    with pytest.raises(SpecError, match=r"network: .*'elsewhere' .*difsims\.networks"):
        make_spec({"network": "elsewhere"}, TrainingSpec)
    assert make_spec({"network": "elsewhere"}, TrainingSpec, stored=True).network == "elsewhere"


def test_our_own_members_are_where_the_families_say():
    for family in (ENGINES, METRICS, NETWORKS):
        assert [name for name in family.names() if family[name] is None] == []


def test_a_registered_name_is_taken_once():
    family: Family[int] = Family("number", own={"listed": "math:pi"})
    assert family.register("one")(1) == 1
    for name in ("one", "listed"):
        with pytest.raises(InputError, match=f"number '{name}'"):
            family.register(name)(2)
    assert family.names() == ["listed", "one"]
    assert family["listed"] == pytest.approx(3.14159, abs=1e-5)
