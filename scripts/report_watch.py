"""Serve the report's page on this machine, and keep it live: make report WATCH=1.

    report_watch.py COMMAND...      the command writes report.html into the state folder, and is run again and again

Only requests to the address that is printed are answered: it holds a random token, and a request that names another host, as one of a page that has
its own name lead here (DNS rebinding), is refused. Everything is read only. The command runs again only while a page is open, one run at a time, and
not before PAUSE_SECONDS have passed since the last one; after LIMIT_SECONDS, or by Ctrl-C, it ends.
"""

from __future__ import annotations

import hashlib
import http.server
import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parent.parent
ADDRESS = "127.0.0.1"
PAUSE_SECONDS = 10.0
# A page that was not asked for so long is not looked at.
WATCHED_SECONDS = 30.0
LIMIT_SECONDS = 4 * 3600.0
# A reader that sends or takes nothing does not hold a thread for longer.
REQUEST_SECONDS = 10
# The page asks by itself, and takes the place of what was shown; what was open stays open, and what had the focus keeps it.
SCRIPT = """
const note = document.getElementById("live");
let last = "";
async function look() {
  try {
    const answer = await fetch("page", {cache: "no-store", headers: last ? {"If-None-Match": last} : {}});
    if (answer.status === 200) {
      last = answer.headers.get("ETag") || "";
      const found = new DOMParser().parseFromString(await answer.text(), "text/html");
      const main = document.querySelector("main");
      const open = [...main.querySelectorAll("details")].map((one) => one.open);
      const places = [...main.querySelectorAll("a, summary, [tabindex]")];
      const focused = places.indexOf(document.activeElement);
      main.innerHTML = found.querySelector("main").innerHTML;
      main.querySelectorAll("details").forEach((one, index) => { one.open = Boolean(open[index]); });
      if (focused >= 0) main.querySelectorAll("a, summary, [tabindex]")[focused]?.focus({preventScroll: true});
      document.title = found.title;
    }
    note.textContent = answer.ok || answer.status === 304
      ? (answer.headers.get("X-Report-Problem") || "Live: read again every few seconds.")
      : "The server refuses to answer (" + answer.status + ").";
  } catch (error) {
    note.textContent = "No longer live: make report WATCH=1 has ended. What is shown is the last that was read.";
  }
  setTimeout(look, 3000);
}
look();
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Reply(NamedTuple):
    """What is answered."""

    status: HTTPStatus
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012 (never changed)


class Watch:
    """The page as it was written last, and when it was asked for. C(read): its text, empty where there is none."""

    def __init__(self, token: str, read: Callable[[], str], clock: Callable[[], float] = time.monotonic) -> None:
        self.token, self.read, self.clock = token, read, clock
        # Why the last run wrote no page, else empty.
        self.problem = ""
        self.asked = clock()
        self.was_asked = threading.Event()

    def answer(self, method: str, path: str, hosts: list[str], port: int, known: str = "") -> Reply:
        """The answer to a request. C(hosts): what it gives as Host; C(known): the ETag that it has."""
        if hosts not in ([f"{ADDRESS}:{port}"], [f"localhost:{port}"]):
            return Reply(HTTPStatus.MISDIRECTED_REQUEST, b"This server is for this machine alone.\n")
        start, slash, name = path.removeprefix("/").partition("/")
        if not secrets.compare_digest(start.encode(), self.token.encode()) or not slash or name not in ("", "page"):
            return Reply(HTTPStatus.NOT_FOUND, b"Take the whole address that `make report WATCH=1` has printed.\n")
        if method not in ("GET", "HEAD"):
            return Reply(HTTPStatus.METHOD_NOT_ALLOWED, b"It can only be read.\n", {"Allow": "GET, HEAD"})
        self.asked = self.clock()
        self.was_asked.set()
        text = self.read()
        if not text:
            return Reply(HTTPStatus.SERVICE_UNAVAILABLE, (self.problem or "There is no page yet.").encode())
        return self._live(text) if not name else self._page(text, known)

    def watched(self) -> bool:
        return self.clock() - self.asked < WATCHED_SECONDS

    def _page(self, text: str, known: str) -> Reply:
        tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Content-Type": "text/html; charset=utf-8"}
        # Of one line and of characters that a header may have.
        headers |= {"X-Report-Problem": re.sub(r"[^ -~]", "?", self.problem)[:300]} if self.problem else {}
        return (
            Reply(HTTPStatus.NOT_MODIFIED, b"", headers)
            if known == tag
            else Reply(HTTPStatus.OK, text.encode(), headers)
        )

    def _live(self, text: str) -> Reply:
        """The page with the script that asks again. What else is in it stays forbidden to run."""
        nonce = secrets.token_urlsafe(16)
        page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text, count=1)
        note = '<p id="live" role="status" class="dim" style="text-align: center">Live</p>'
        page = page.replace("</main>", f'</main>\n{note}\n<script nonce="{nonce}">{SCRIPT}</script>', 1)
        headers = {"Content-Security-Policy": POLICY.format(nonce=nonce), "Content-Type": "text/html; charset=utf-8"}
        return Reply(HTTPStatus.OK, page.encode(), headers)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the server's Watch says."""

    server: Server
    server_version, sys_version = "report", ""
    timeout = REQUEST_SECONDS

    def _reply(self) -> None:
        hosts = self.headers.get_all("Host") or []
        reply = self.server.watch.answer(
            self.command, self.path, hosts, self.server.server_port, self.headers.get("If-None-Match", "")
        )
        self.send_response(reply.status)
        for name, value in {**HEADERS, **reply.headers, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _reply  # noqa: N815 (http.server's names)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the token is in each path."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, watch: Watch, port: int = 0) -> None:
        super().__init__((ADDRESS, port), Handler)
        self.watch = watch


def state_folder() -> Path:
    return Path(os.environ.get("LOCALCLOUD_DIR") or PROJECT) / ".localcloud"


def refresh(command: list[str], log: Path) -> str:
    """Run the command; why it failed, empty if it did not. Its output goes into the log."""
    with log.open("wb") as output:
        code = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=output).returncode
    if not code:
        return ""
    said = re.findall(r"\[ERROR\]: (?:Task failed: )?(?:Action failed: )?(.*)", log.read_text(errors="replace"))
    return f"The stack could not be read: {said[-1].rstrip('.') if said else f'exit code {code}'}. See {log}."


def serve(command: list[str], folder: Path) -> int:
    page, log = folder / "report.html", folder / "report.log"
    if problem := refresh(command, log):
        print(problem, file=sys.stderr)
        return 1
    watch = Watch(secrets.token_urlsafe(24), lambda: page.read_text() if page.exists() else "")
    server = Server(watch)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(
        f"Open http://{ADDRESS}:{server.server_port}/{watch.token}/ in a browser of this machine. Ctrl-C ends it.",
        flush=True,
    )
    end = time.monotonic() + LIMIT_SECONDS
    pause = threading.Event()
    while (left := end - time.monotonic()) > 0:
        pause.wait(min(PAUSE_SECONDS, left))
        watch.was_asked.clear()
        # Until a page is open, nothing is read.
        if watch.watched() or watch.was_asked.wait(max(0.0, end - time.monotonic())):
            watch.problem = refresh(command, log)
    print("The time is up. Run it again to go on.")
    return 0


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return serve(sys.argv[1:], state_folder())
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
