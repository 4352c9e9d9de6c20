"""Entry point of `python3 -m localcloud_main_api`."""

import sys

from localcloud_events.lifecycle import Stop


def main() -> int:
    """Serve until a signal comes; give the process's exit code."""
    stop = Stop().install()
    # Late, because the imports take long and a signal that comes meanwhile must not be lost.
    from localcloud_main_api.run import run  # noqa: PLC0415

    return run(stop)


if __name__ == "__main__":
    sys.exit(main())
