"""Print where a file of a built part lies, for example `part.py helm helm`; builds the part if it is missing."""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.builder import Builder, BuildError, Inventory
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.cache import Cache, default_root
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import PartsError


def main() -> int:
    name, file = sys.argv[1:3]
    project = Path(__file__).resolve().parent.parent
    builder = Builder(Inventory.read(project), Cache(default_root()), lambda line: print(line, file=sys.stderr))
    try:
        print(builder.require([name])[name].path / file)
    except (BuildError, PartsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
