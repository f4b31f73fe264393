"""Ports of the services: chosen once and kept, other ones chosen where somebody else has them by now."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping

from flows.stack.errors import StackOptionError

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = frozenset({LOOPBACK, "localhost", "::1"})
_DEFAULTS = {"prefect": 4200, "s3": 8333}
# SeaweedFS speaks to itself over these; nothing of ours uses them.
_INTERNAL = (
    "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port",
    "filer.port.grpc", "admin.port", "admin.port.grpc",
)  # fmt: skip
# Its maintenance worker looks for the administration 10000 above the other port, whatever the options say (4.48).
_ADMIN_DISTANCE = 10_000
# Below those that systems give to outgoing connections: such a one may be gone before its server starts.
_CANDIDATES = range(10_000, 32_000)


def choose_ports(kept: Mapping[str, int], wanted: Mapping[str, int | None], needed: Iterable[str]) -> dict[str, int]:
    """Return a port for each service.

    Parameters
    ----------
    kept
        Those of the start before.
    wanted
        Those that the user insists on, None where he does not.
    needed
        ``prefect``, ``s3``: what is started here.

    Raises
    ------
    StackOptionError
        If a port that the user insists on is taken.
    """
    chosen: dict[str, int] = {}
    for name in needed:
        insisted = wanted.get(name)
        if insisted is not None and not is_free(insisted):
            raise StackOptionError(
                f"port {insisted} of {LOOPBACK} is taken", f"choose another --{name}-port, or leave it out"
            )
        candidates = [insisted] if insisted is not None else [kept.get(name), _DEFAULTS[name]]
        chosen[name] = next((port for port in candidates if port and _usable(port, chosen)), 0) or _free(chosen)
    if "s3" in chosen:
        _choose_internal(kept, chosen)
    return chosen


def is_free(port: int) -> bool:
    """Return whether nobody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def unused_ports() -> Iterator[int]:
    """Yield ports of this machine on which nobody listens now, in a random order."""
    return filter(is_free, random.sample(_CANDIDATES, len(_CANDIDATES)))


def _choose_internal(kept: Mapping[str, int], chosen: dict[str, int]) -> None:
    for name in _INTERNAL:
        if name in chosen:
            continue
        before, suits = kept.get(name), _suits_admin if name == "admin.port" else _usable
        chosen[name] = before if before and suits(before, chosen) else _free(chosen, suits)
        if name == "admin.port":
            chosen["admin.port.grpc"] = chosen[name] + _ADMIN_DISTANCE


def _usable(port: int, chosen: Mapping[str, int]) -> bool:
    return port not in chosen.values() and is_free(port)


def _suits_admin(port: int, chosen: Mapping[str, int]) -> bool:
    distant = port + _ADMIN_DISTANCE
    return distant in _CANDIDATES and _usable(port, chosen) and _usable(distant, chosen)


def _free(chosen: Mapping[str, int], suits: Callable[[int, Mapping[str, int]], bool] = _usable) -> int:
    for port in unused_ports():
        if suits(port, chosen):
            return port
    raise StackOptionError(f"no free port is left on {LOOPBACK}", "end what listens there")
