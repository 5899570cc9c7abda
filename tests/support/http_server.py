"""An HTTP server on loopback with the faults that a test asks for."""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from runner.prepare.cache import Cache


@dataclass
class Server:
    """The server's files by path, its faults, and the paths that were requested."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    # What goes wrong with the next requests for a path: no answer, or half of it followed by silence or by the end.
    faults: dict[str, list[Literal["silence", "stall", "cut"]]] = field(default_factory=dict)
    # A byte at a time, so that somebody can interrupt.
    slow: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def publish(self, path: str, content: bytes, checksum: str | None = None) -> None:
        """Offer a file and its checksum file, by default the right one."""
        self.files[path] = content
        self.files[f"{path}.sha256"] = (checksum or hashlib.sha256(content).hexdigest()).encode()

    def serve_directory(self, directory: Path) -> None:
        """Offer everything below a directory."""
        for path in directory.rglob("*"):
            if path.is_file():
                self.files[f"/{path.relative_to(directory)}"] = path.read_bytes()


@contextmanager
def serving() -> Iterator[Server]:
    """Run the server on a free port of loopback."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            fault = faults.pop(0) if (faults := state.faults.get(self.path)) else None
            if fault == "silence":
                state.closing.wait()
                return
            content = state.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.path in state.slow:
                for byte in content:
                    if state.closing.is_set():
                        return
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.05)
            else:
                self.wfile.write(content[: len(content) // 2] if fault else content)
                if fault == "stall":
                    self.wfile.flush()
                    state.closing.wait()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.url = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        state.closing.set()
        http.shutdown()
        thread.join()


def is_clean(cache: Cache) -> bool:
    """Tell whether the cache has neither finished nor unfinished files."""
    return not any(any(directory.iterdir()) for directory in (cache.blobs, cache.recipes, cache.releases, cache.tmp))
