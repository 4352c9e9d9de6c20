"""Entry point of `python3 -m localcloud_producer`."""

import sys

from localcloud_events.lifecycle import Stop


def main() -> int:
    """Run the producer; give the process's exit code."""
    stop = Stop().install()
    # Late, because boto3 takes long to import and a signal that comes meanwhile must not be lost.
    from localcloud_producer.app import start  # noqa: PLC0415

    return start(stop)


if __name__ == "__main__":
    sys.exit(main())
