"""Supervision by ``supervisord``: it starts what died again, keeps logs, and stops in reverse order."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import os
import shlex
import sys
import xmlrpc.client
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from difsims_core.retrying import poll
from flows.stack.errors import StackError
from flows.stack.records.folder import StackFolder, write_private
from flows.stack.services.logged import last_lines, start_logged
from flows.stack.services.programs import Program

_LOG_BYTES, _LOG_FILES = "10MB", 5
_START_SECONDS = 30
_SECONDS_BETWEEN = 0.1


@dataclass(frozen=True, slots=True)
class ProgramState:
    """What the supervisor says of a program.

    Attributes
    ----------
    name : str
        Of the program.
    state : str
        ``RUNNING``, ``STARTING``, ``BACKOFF``, ``FATAL``, ``EXITED``, ``STOPPED``, …
    pid : int
        Of its process, 0 when there is none.
    note : str
        In words: uptime, or why it does not run.
    """

    name: str
    state: str
    pid: int
    note: str


class Supervisor:
    """The supervisord of a stack."""

    def __init__(self, folder: StackFolder) -> None:
        self._folder = folder

    def process(self) -> psutil.Process | None:
        """Return its process, None when it does not run."""
        try:
            process = psutil.Process(int(_pid_file(self._folder).read_text(encoding="utf-8")))
            command = process.cmdline()
        except (OSError, ValueError, psutil.Error):
            return None
        # A process id is given to another program one day.
        return process if str(self._folder.configuration) in command else None

    def start(self, programs: Sequence[Program], environment: Mapping[str, str]) -> None:
        """Start it, without programs.

        Raises
        ------
        StackError
            If it does not answer.
        """
        if importlib.util.find_spec("supervisor") is None:
            raise StackError("supervisor is not installed", '`pip install "difsims[up]"` brings it')
        write_private(self._folder.configuration, configuration(self._folder, programs))
        command = (sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(self._folder.configuration))
        log = self.log_file("supervisord.out")
        process = start_logged(command, log, environment=environment, folder=self._folder.scratch)
        for left in poll(_SECONDS_BETWEEN, _START_SECONDS):
            if self.answers():
                return
            if process.poll() is not None or left <= 0:
                raise StackError(f"supervisord does not start:\n{self.last_lines('supervisord.out')}")

    def has(self, programs: Sequence[Program]) -> bool:
        """Return whether it was started for just these programs, each called as it would be now."""
        try:
            found = self._folder.configuration.read_text(encoding="utf-8")
        except OSError:
            return False
        return found == configuration(self._folder, programs)

    def answers(self) -> bool:
        """Return whether it takes requests."""
        try:
            with self._requests() as supervisor:
                return supervisor.getState()["statename"] == "RUNNING"
        except StackError:
            return False

    def states(self) -> dict[str, ProgramState]:
        """Return the state of each program by its name."""
        with self._requests() as supervisor:
            found = supervisor.getAllProcessInfo()
        return {
            item["name"]: ProgramState(
                item["name"], item["statename"], item["pid"], item["spawnerr"] or item["description"]
            )
            for item in found
        }

    def start_program(self, name: str) -> None:
        """Start a program unless it runs already; it may still fail afterwards."""
        with self._requests() as supervisor, contextlib.suppress(xmlrpc.client.Fault):
            supervisor.startProcess(name, False)

    def stop_program(self, name: str) -> None:
        """Stop a program and wait until it has ended."""
        with self._requests() as supervisor, contextlib.suppress(xmlrpc.client.Fault):
            supervisor.stopProcess(name, True)

    def last_lines(self, name: str) -> str:
        """Return the end of a log, indented."""
        return last_lines(self.log_file(name))

    def log_file(self, name: str) -> Path:
        """Return the path of a log; a program's has its name."""
        return self._folder.logs / (name if "." in name else f"{name}.log")

    @contextlib.contextmanager
    def _requests(self) -> Iterator[Any]:
        from supervisor.xmlrpc import SupervisorTransport

        socket = _socket(self._folder)
        transport = SupervisorTransport(None, None, serverurl=f"unix://{socket}")
        try:
            with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as server:
                yield server.supervisor
        except (OSError, http.client.HTTPException) as error:
            raise StackError(f"supervisord does not answer at {socket} ({error})") from error
        finally:
            transport.close()


def configuration(folder: StackFolder, programs: Sequence[Program]) -> str:
    """Return the configuration of supervisord; secrets reach the programs by inheritance alone."""
    sections = [
        f"""\
[unix_http_server]
file={_socket(folder)}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisord]
nodaemon=true
silent=true
pidfile={_pid_file(folder)}
logfile={folder.logs / "supervisord.log"}
logfile_maxbytes={_LOG_BYTES}
logfile_backups={_LOG_FILES}
childlogdir={folder.logs}
directory={folder.scratch}
{"user=root" if os.getuid() == 0 else ""}
"""
    ]
    sections += [_section(folder, program) for program in programs]
    return "\n".join(sections)


def _socket(folder: StackFolder) -> Path:
    return folder.sockets / "supervisor.sock"


def _pid_file(folder: StackFolder) -> Path:
    return folder.sockets / "supervisor.pid"


def _section(folder: StackFolder, program: Program) -> str:
    # Started by `difsims up`, each when the one before is healthy. A program passes the signal on to its own children:
    # a second one, sent to the whole group, would cut their tidy end short. What is left is killed as a group.
    return f"""\
[program:{program.name}]
command={shlex.join(program.command).replace("%", "%%")}
priority={program.priority}
autostart=false
autorestart=true
startsecs=3
startretries=5
stopsignal=TERM
stopasgroup=false
killasgroup=true
stopwaitsecs={program.stop_seconds}
redirect_stderr=true
stdout_logfile={folder.logs / program.name}.log
stdout_logfile_maxbytes={_LOG_BYTES}
stdout_logfile_backups={_LOG_FILES}
{"umask=077" if program.private else ""}
"""
