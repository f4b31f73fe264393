"""One connection of this process to a Dask cluster, shared by all that use it, and what its failures mean."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

from difsims_core.errors import DifsimsError
from difsims_core.messages import first_line
from flows.ui.progress import log_and_show

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 20.0
_CLOSE_SECONDS = 5.0
LOOK_SECONDS = 15.0  # between looks at the number of workers
NO_WORKERS_SECONDS = 900.0  # a cluster that grows on demand starts its first machines within minutes


class ClusterError(DifsimsError):
    """The Dask cluster does not answer or lost its workers; another try may help."""


class ClusterSetupError(DifsimsError):
    """The Dask cluster cannot run what it was sent; another try will not help."""


@dataclass
class Cluster:
    """A Dask cluster that this process is connected to; get it with `cluster`.

    Attributes
    ----------
    address : str
        Of the scheduler.
    client : distributed.Client
        The connection; several threads may use it.
    """

    address: str
    client: Client
    _looking: Lock = field(default_factory=Lock)
    _looked: float = field(default_factory=time.monotonic)
    _idle_since: float | None = None

    @property
    def lost(self) -> bool:
        """Whether the scheduler has gone; what was asked of it before is forgotten even if it comes back."""
        return self.client.status != "running"

    def look(self) -> None:
        """Say so when there are no workers; does nothing when somebody looked a moment ago.

        Raises
        ------
        ClusterError
            If there have been none for a quarter of an hour, or the scheduler is lost.
        """
        if not self._looking.acquire(blocking=False):
            return
        try:
            if time.monotonic() - self._looked < LOOK_SECONDS:
                return
            self._looked = time.monotonic()
            if self.threads:
                self._idle_since = None
                return
            self._idle_since = self._idle_since or self._looked
        finally:
            self._looking.release()
        waited = time.monotonic() - self._idle_since
        remedy = f"start some with `dask worker {self.address}`"
        if waited > NO_WORKERS_SECONDS:
            raise ClusterError(f"the Dask cluster at {self.address} has had no worker for {waited:.0f} s", remedy)
        log_and_show(f"the Dask cluster at {self.address} has no worker; {remedy}; waiting")

    @property
    def threads(self) -> int:
        """Threads of all workers together.

        Raises
        ------
        ClusterError
            If the scheduler is lost.
        """
        try:
            return self.client.scheduler_info(n_workers=0)["total_threads"]
        except (OSError, KeyError, AttributeError):
            raise connection_lost(self.address) from None


@dataclass
class _Shared:
    """The connections of this process; a connection is closed when nobody uses it any more."""

    lock: Lock = field(default_factory=Lock)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)
    failures: dict[str, tuple[float, str]] = field(default_factory=dict)


_shared = _Shared()


@contextmanager
def cluster(address: str) -> Iterator[Cluster]:
    """Connect to the Dask scheduler at an address, or share the connection that this process has.

    Raises
    ------
    ClusterError
        If it does not answer in time.
    ClusterSetupError
        If Dask is not installed, or the address cannot be one.
    """
    joined = _join(address, time.monotonic())
    try:
        yield joined
    finally:
        _leave(address)


def connection_lost(address: str) -> ClusterError:
    """Return the error of a scheduler that went away."""
    return ClusterError(
        f"the connection to the Dask scheduler at {address} was lost",
        "finished blocks are kept. Start it again (`dask scheduler`) with its workers, then run the same simulation "
        "again",
    )


def failure_of(future: Future, address: str) -> BaseException:
    """Return what the failure of a task means: ours as it is, Dask's own as errors with a remedy."""
    from distributed import KilledWorker

    error: Any = None if future.cancelled() else future.exception(timeout=_CLOSE_SECONDS)
    if not isinstance(error, BaseException):
        return connection_lost(address)
    if isinstance(error, KilledWorker):
        return ClusterError(
            f"a block was given up after {error.allowed_failures + 1} workers at {address} had died of it",
            "look at the log of the last one. Most often memory ran out: give workers more, or fewer threads",
        )
    if isinstance(error, ImportError | AttributeError) or "deserializ" in str(error):
        return ClusterSetupError(
            f"workers of the Dask cluster at {address} cannot load difsims ({first_line(error.__cause__ or error)})",
            "install the same versions of Python, Dask and difsims on all of them, and restart them",
        )
    return error


def _join(address: str, arrived: float) -> Cluster:
    with _shared.lock:
        found = _shared.clusters.get(address)
        if found is None or found.lost:
            failed, message = _shared.failures.get(address, (0.0, ""))
            if failed > arrived:  # somebody has just tried in vain, while this one waited
                raise ClusterError(message)
            if found is not None:
                _close(_shared.clusters.pop(address).client)
            try:
                found = _shared.clusters[address] = Cluster(address, _connect(address))
            except ClusterError as error:
                _shared.failures[address] = time.monotonic(), str(error)
                raise
        _shared.users[address] = _shared.users.get(address, 0) + 1
        return found


def _leave(address: str) -> None:
    with _shared.lock:
        _shared.users[address] -= 1
        if not _shared.users[address] and address in _shared.clusters:
            _close(_shared.clusters.pop(address).client)


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise ClusterSetupError(
            "DIFSIMS_COMPUTE is dask, but Dask is not installed", "pip install 'difsims[dask]'"
        ) from None
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False, name="difsims")
    except (OSError, ImportError) as error:  # ImportError: the scheduler refuses this version of Dask
        raise ClusterError(
            f"no Dask scheduler answers at {address} ({first_line(error)})",
            "start one with `dask scheduler`, or correct DIFSIMS_DASK_ADDRESS",
        ) from None
    except (ValueError, TypeError) as error:
        if address.startswith("tls://"):
            raise ClusterSetupError(
                f"no way to speak TLS with {address} ({first_line(error)})",
                "set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and "
                "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY",
            ) from None
        raise ClusterSetupError(
            f"DIFSIMS_DASK_ADDRESS={address!r} is not the address of a scheduler ({first_line(error)}); expected "
            "tcp://host:8786 or tls://host:8786"
        ) from None


def _close(client: Client) -> None:
    log = logging.getLogger("distributed.client")
    before = log.level
    if client.status != "running":
        log.setLevel(logging.CRITICAL)  # it would tell of every attempt to come back that is cut short here
    try:
        with suppress(OSError, TimeoutError):
            client.close(timeout=_CLOSE_SECONDS)
    finally:
        log.setLevel(before)
