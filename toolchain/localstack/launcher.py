#!/usr/bin/env python3
"""Lay DynamoDB Local out as its download is: a jar that starts it, its libraries, and LocalStack's agent.

launcher.py JARS OUT
"""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

MAIN = "com.amazonaws.services.dynamodbv2.local.main.ServerRunner"
LIBRARIES = "DynamoDBLocal_lib"
# Lines of a manifest have at most 72 bytes; a longer one goes on in the next, after a space.
WIDTH = 71


def manifest(jars: list[str]) -> str:
    """A manifest that starts DynamoDB Local with these jars."""
    line = f"Class-Path: {' '.join(f'{LIBRARIES}/{jar}' for jar in jars)}"
    folded = "\r\n ".join(line[start : start + WIDTH - 1] for start in range(0, len(line), WIDTH - 1))
    return f"Manifest-Version: 1.0\r\nMain-Class: {MAIN}\r\n{folded}\r\n"


def main() -> None:
    jars, out = map(Path, sys.argv[1:])
    shutil.copytree(jars, out / LIBRARIES)
    (agent,) = (out / LIBRARIES).glob("byte-buddy-agent-*.jar")
    agent.rename(out / "ddb-local-loader-0.1.jar")
    with zipfile.ZipFile(out / "DynamoDBLocal.jar", "w") as launcher:
        launcher.writestr(
            "META-INF/MANIFEST.MF", manifest(sorted(path.name for path in (out / LIBRARIES).glob("*.jar")))
        )


if __name__ == "__main__":
    main()
