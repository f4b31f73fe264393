"""The S3 server: credentials by name, its answer, and the difference between its clock and ours."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from difsims_core.storage.objects import open_store
from flows.doctor.checks import CheckResult, DoctorContext, check, fail, ok, warn
from flows.stack.services.ports import LOOPBACK_NAMES
from flows.stack.services.seaweedfs import open_doors

_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
_SIGNATURES_FAIL = 15 * 60  # S3 answers RequestTimeTooSkewed
_STRANGE = 60


@check("S3: credentials", after="settings: store")
def credentials(context: DoctorContext) -> CheckResult | None:
    """Look which variables of S3 are set; their values stay unread."""
    if not _on_s3(context):
        return None
    there = [name for name in (*_KEYS, "AWS_SESSION_TOKEN", "AWS_PROFILE") if os.environ.get(name)]
    missing = [name for name in _KEYS if name not in there]
    if len(missing) == 1:
        return fail(f"{missing[0]} is not set, {there[0]} is", f"set both {' and '.join(_KEYS)}")
    shared = Path(os.environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws" / "credentials")
    if missing and "AWS_PROFILE" not in there and not shared.is_file():
        return warn(
            "none in the environment and no credentials file",
            f"set {' and '.join(_KEYS)}, unless the machine itself has a role",
        )
    return ok(f"{', '.join(there) or 'a credentials file'} found")


@check("S3", seconds=15, after="settings: store")
def server(context: DoctorContext) -> CheckResult | None:
    """Look whether the server answers at all, whatever it says."""
    address = _address(context)
    if address is None:
        return None
    try:
        httpx.head(address, timeout=10, verify=_certificates())
    except (httpx.HTTPError, OSError) as error:
        return fail(
            f"{address}: {str(error) or type(error).__name__}",
            "start the server or correct AWS_ENDPOINT_URL; own certificates: AWS_CA_BUNDLE=/path/to/ca.pem",
        )
    parts = urlsplit(address)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_NAMES:
        return warn(f"{address} answers, without TLS", "use https:// where others share the network")
    return ok(f"{address} answers")


@check("S3: clock", seconds=15, after="S3")
def clock(context: DoctorContext) -> CheckResult | None:
    """Look whether the server and this machine agree on the time: signed requests need it."""
    address = _address(context)
    if address is None:
        return None
    asked = time.time()
    headers = httpx.head(address, timeout=10, verify=_certificates()).headers
    return judge_clock(headers, (asked + time.time()) / 2, "signed requests are refused from 15 minutes on")


@check("S3: internal ports", seconds=30, after="S3")
def side_doors(context: DoctorContext) -> CheckResult | None:
    """Look whether SeaweedFS, where this machine runs it, answers beside S3 without credentials."""
    parts = urlsplit(_address(context) or "")
    if parts.hostname not in LOOPBACK_NAMES or find_spec("psutil") is None:
        return None
    beside = _other_ports(parts.port or 443)
    if not beside:
        return None  # another server, or another user's
    found = open_doors(beside)
    if found:
        return fail(
            f"anybody here can use the store without S3 credentials, at ports {', '.join(map(str, found))}",
            "stop it and start it with `difsims up`, which closes them; for a SeaweedFS of your own, configure keys "
            "and certificates in security.toml",
        )
    return ok(f"{len(beside)} ports beside S3 answer only SeaweedFS itself")


def _other_ports(port: int) -> list[int]:
    """Return the other ports of the SeaweedFS that listens on a port, as far as this user may know."""
    import psutil

    for process in psutil.process_iter(["name"]):
        try:
            if process.info["name"] != "weed":
                continue
            listening = {item.laddr.port for item in process.net_connections("tcp") if item.status == "LISTEN"}
        except psutil.Error:
            continue
        if port in listening:
            return sorted(listening - {port})
    return []


def judge_clock(headers: Mapping[str, str], here: float, why: str) -> CheckResult:
    """Return what a Date header says of the clock here.

    Parameters
    ----------
    headers
        Of an answer.
    here
        Time of this machine in the middle of the request, seconds since 1970.
    why
        What a wrong clock does.
    """
    date = headers.get("date")
    if date is None:
        return warn("the server does not report its time", "compare the clocks by hand: date -u on both machines")
    ahead = here - parsedate_to_datetime(date).timestamp()
    found = f"this machine is {abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"
    if abs(ahead) < _STRANGE:
        return ok("agrees within a few seconds" if abs(ahead) < 3 else found)
    remedy = f"set the clock (chrony, systemd-timesyncd); here it is {_utc(here)}, there {date}; {why}"
    return fail(found, remedy) if abs(ahead) >= _SIGNATURES_FAIL else warn(found, remedy)


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S UTC")


def _on_s3(context: DoctorContext) -> bool:
    return open_store(context.store).root.startswith("s3://")


def _address(context: DoctorContext) -> str | None:
    """Return the address of the server; None for a folder, and where only a file of profiles knows it."""
    if not _on_s3(context):
        return None
    own = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if own is None and os.environ.get("AWS_PROFILE"):
        return None
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return own or f"https://s3.{region}.amazonaws.com"


def _certificates() -> str | bool:
    return os.environ.get("AWS_CA_BUNDLE") or True
