"""A wire that records what goes over it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def listening_to(port: int) -> Iterator[tuple[str, list[bytes]]]:
    """Forward connections to a port of this machine; give the address to use instead and all bytes of both ways."""
    heard: list[bytes] = []
    open_sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = server.accept()
                open_sockets.append(near)  # before the other end, which may be gone
                far = socket.create_connection(("127.0.0.1", port))
                open_sockets.append(far)
                start(forward, near, far)
                start(forward, far, near)

    def forward(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                heard.append(data)
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def start(function, *args) -> None:
        threads.append(threading.Thread(target=function, args=args, daemon=True))
        threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        start(accept)
        try:
            yield f"tcp://127.0.0.1:{server.getsockname()[1]}", heard
        finally:
            for one in (server, *open_sockets):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
            for one in open_sockets:
                one.close()
