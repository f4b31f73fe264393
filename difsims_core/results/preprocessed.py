"""A raw scan to an experiment of the store with its verdict and its report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from difsims_core.config.raw_scans.preprocessing import PreprocessingSpec
from difsims_core.evaluate.raw_scans.verdict import ScanVerdict
from difsims_core.experiment.diagnose.diagnosis import diagnose
from difsims_core.experiment.diagnose.sums import ScanSums
from difsims_core.experiment.prepare import PreparedScan, prepare_scan
from difsims_core.experiment.write.open import open_experiment
from difsims_core.experiment.write.plan import ScanPlan
from difsims_core.experiment.write.shards import Progress
from difsims_core.experiment.write.write_scan import WrittenScan, write_scan
from difsims_core.results.scan_report import write_scan_report
from difsims_core.results.scan_verdicts import read_verdict
from difsims_core.storage import layout
from difsims_core.storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class JudgedScan:
    """A preprocessed scan, and whether it can be trusted.

    Attributes
    ----------
    written : WrittenScan
    verdict : ScanVerdict
    report : str
        URL of its report.
    """

    written: WrittenScan
    verdict: ScanVerdict
    report: str

    @property
    def reused(self) -> bool:
        """Whether it was complete before."""
        return self.written.reused


def preprocess_and_judge(
    store: ObjectStore,
    location: str | Path,
    spec: PreprocessingSpec,
    *,
    name: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    write: Callable[[ObjectStore, PreparedScan, ScanPlan, Progress], None] | None = None,
) -> JudgedScan:
    """Preprocess a raw scan into a store, judge it and write its report; parameters and errors of `write_scan`."""
    written = write_scan(store, location, spec, name=name, force=force, progress=progress, write=write)
    verdict = read_verdict(store, written.name) if written.reused else None
    report = store.url(layout.report(written.name))
    if verdict is None:
        prepared = written.prepared or prepare_scan(location, spec)
        diagnosis = diagnose(prepared, ScanSums.of_stored(prepared, open_experiment(written.name, store)))
        write_scan_report(store, written.name, diagnosis)
        verdict = diagnosis.verdict
    return JudgedScan(written, verdict, report)
