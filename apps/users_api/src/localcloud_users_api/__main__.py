"""Entry point of `python3 -m localcloud_users_api [sweep]`."""

import sys

from localcloud_events.lifecycle import Stop


def main() -> int:
    """Serve until a signal comes, or remove orphaned avatars once (`sweep`); give the process's exit code."""
    stop = Stop().install()
    # Late, because the imports take long and a signal that comes meanwhile must not be lost.
    from localcloud_users_api.run import run  # noqa: PLC0415

    return run(sys.argv[1:], stop)


if __name__ == "__main__":
    sys.exit(main())
