"""Roll a version of the config API out to one environment: change `version` in charts/*/values-<environment>.yaml, and nothing else.

    bump_version.py ENVIRONMENT VERSION [--charts FOLDER] [--service NAME]...      default: main-api and auxiliary-service

Needs Python alone. Comments, order and line ends stay. All files are checked before the first is written; a version that is there already
changes nothing.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
SERVICES = ("main-api", "auxiliary-service")
# What an image's tag may be, and so what the charts' schema takes.
VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
ENVIRONMENT = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
# At the left edge, so that no field of a map within is meant.
LINE = re.compile(
    r"^version:(?P<space>[ \t]+)(?P<old>\"[^\"\r\n]*\"|'[^'\r\n]*'|[A-Za-z0-9_][A-Za-z0-9._+-]*)(?P<rest>[ \t]*(?:[ \t]#[^\r\n]*)?)(?=\r?$)",
    re.M,
)


class BumpError(Exception):
    """The version can't be rolled out; the message says why and what to do. Nothing was written."""


def bumped(text: str, version: str, title: str) -> str:
    """The text of a values file with another version. Raises BumpError unless it has exactly one."""
    found = list(LINE.finditer(text))
    if len(found) != 1 or len(re.findall(r"^version\s*:", text, re.M)) != 1:
        raise BumpError(
            f"{title}: must have exactly one line `version: …` at its left edge, but has {len(found)} that can be read."
        )
    # Quoted, since a commit may look like a number: 1234567, 12e4567.
    return LINE.sub(lambda one: f'version:{one["space"]}"{version}"{one["rest"]}', text)


def bump(charts: Path, environment: str, version: str, services: Iterable[str]) -> list[Path]:
    """Change the files of an environment; gives those that differ now. Raises BumpError."""
    if not ENVIRONMENT.fullmatch(environment):
        raise BumpError(f"{environment!r} is not an environment's name: lower-case letters, digits and '-'.")
    if not VERSION.fullmatch(version):
        raise BumpError(
            f"{version!r} is not an image's tag: 1 to 128 letters, digits, '_', '.' and '-', not beginning with '.' or '-'."
        )
    new: dict[Path, tuple[str, str]] = {}
    for service in services:
        path = charts / service / f"values-{environment}.yaml"
        try:
            # Line ends as they are.
            old = path.read_bytes().decode()
        except FileNotFoundError:
            known = sorted(one.stem.removeprefix("values-") for one in path.parent.glob("values-*.yaml"))
            raise BumpError(
                f"{service} has no environment {environment!r}, only {', '.join(known) or 'none'}."
            ) from None
        except (OSError, UnicodeError) as error:
            raise BumpError(f"{path} can't be read: {error}") from None
        new[path] = (old, bumped(old, version, str(path)))
    changed = [path for path, (old, text) in new.items() if old != text]
    for path in changed:
        path.write_bytes(new[path][1].encode())
    return changed


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environment")
    parser.add_argument("version")
    parser.add_argument("--charts", type=Path, default=PROJECT / "charts")
    parser.add_argument("--service", action="append", choices=SERVICES)
    given = parser.parse_args(arguments)
    try:
        changed = bump(given.charts, given.environment, given.version, given.service or SERVICES)
    except BumpError as error:
        print(f"{error} Nothing was written.", file=sys.stderr)
        return 1
    for path in changed:
        print(f"{path}: {given.version}")
    if not changed:
        print(f"{given.environment} has {given.version} already.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
