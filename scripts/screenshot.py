"""Take the pictures of the documentation by headless Chromium, after making sure that the page shows what it should.

    screenshot.py [dynamodb-admin|report|users-api|config-api] [--url URL] [FILE]      default docs/<name>.png

dynamodb-admin needs a running stack of this checkout (make up), report what `make report` wrote, the others USERS_API_URL or CONFIG_API_DEV_URL in
.localcloud/env, or --url.
Needs the Debian package chromium, which is kept from every host but the page's own: a page that needs the internet fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

PROJECT = Path(__file__).resolve().parent.parent
STATE = PROJECT / ".localcloud"
SETTINGS = yaml.safe_load((PROJECT / "blueprints/pipeline/blueprint.yml").read_text())["variables"]
LIMIT_SECONDS = 120


class NoPictureError(Exception):
    """There is no picture to take; the message names the cause and the next step."""


@dataclass(frozen=True)
class Page:
    """A page's address, the texts it must show, and the picture's size in pixels."""

    url: str
    texts: tuple[str, ...]
    size: str


def dynamodb_admin(url: str | None) -> Page:
    """The running stack's table and its items."""
    table = SETTINGS["stack_table"]
    if url is None:
        if not (STATE / "cluster.json").exists():
            raise NoPictureError("There is no stack here. Run `make up`, then run again.")
        address = json.loads((STATE / "cluster.json").read_text())["address"]
        url = f"http://{address}:{SETTINGS['apps_dynamodb_admin_node_port']}/tables/{table}"
    return Page(url, (table,), "1200,620")


def report(url: str | None) -> Page:
    """The page that `make report` wrote."""
    path = STATE / "report.html"
    if url is None and not path.exists():
        raise NoPictureError("There is no report here. Run `make report`, then run again.")
    return Page(url or path.as_uri(), ("as declared and ready", "SNS topic", "DynamoDB table"), "1292,520")


def users_api(url: str | None) -> Page:
    """The interactive page of the running users API."""
    return swagger(url or variable("USERS_API_URL"), "users API", ("Users API", "/user/{email}/avatar", "Create User"))


def config_api(url: str | None) -> Page:
    """The interactive page of the config API that runs in dev."""
    return swagger(
        url or variable("CONFIG_API_DEV_URL"), "config API", ("Main API", "/s3-buckets", "/parameter/{name}")
    )


def swagger(url: str, name: str, texts: tuple[str, ...]) -> Page:
    if not url:
        raise NoPictureError(
            f"No {name} runs here. Give one: screenshot.py {name.replace(' ', '-').lower()} --url http://…"
        )
    return Page(f"{url.rstrip('/')}/swagger/", texts, "1200,1000")


PAGES = {"dynamodb-admin": dynamodb_admin, "report": report, "users-api": users_api, "config-api": config_api}


def variable(name: str) -> str:
    """A variable of .localcloud/env, empty if it is not there."""
    if not (STATE / "env").exists():
        return ""
    script = f'. "$1" && printf %s "${{{name}:-}}"'
    return subprocess.run(["sh", "-c", script, "sh", STATE / "env"], check=True, capture_output=True, text=True).stdout


def chromium(page: Page, *arguments: str) -> str:
    """Open the page and give what Chromium prints."""
    command = shutil.which("chromium")
    if command is None:
        raise NoPictureError("chromium is not there. Install it (apt-get install chromium), then run again.")
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            [command, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
             f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {urlsplit(page.url).hostname}",
             f"--user-data-dir={profile}", f"--window-size={page.size}", "--virtual-time-budget=8000",
             *arguments, page.url],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            timeout=LIMIT_SECONDS,
        ).stdout  # fmt: skip


def missing(page: Page) -> list[str]:
    """Which texts the page does not show, once its scripts ran."""
    # Chromium breaks long paths by zero-width places, and Swagger UI marks where.
    shown = chromium(page, "--dump-dom").replace("<wbr>", "").replace("\u200b", "")
    return [text for text in page.texts if text not in shown]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="dynamodb-admin", choices=PAGES)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--url")
    arguments = parser.parse_intermixed_args()
    target = arguments.file or PROJECT / f"docs/{arguments.name}.png"
    try:
        page = PAGES[arguments.name](arguments.url)
        if absent := missing(page):
            raise NoPictureError(f"{page.url} does not show {', '.join(absent)}. Look at it in a browser.")
        chromium(page, f"--screenshot={target}")
    except (NoPictureError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
