"""Entry point of `python3 -m localcloud_queue_exporter`."""

import sys

from localcloud_events.lifecycle import Stop


def main() -> int:
    """Run the exporter; give the process's exit code."""
    stop = Stop().install()
    # Late, because boto3 takes long to import and a signal that comes meanwhile must not be lost.
    from localcloud_queue_exporter.app import start  # noqa: PLC0415

    return start(stop)


if __name__ == "__main__":
    sys.exit(main())
