"""Entry point of `python3 -m localcloud_event_pipeline`: a gRPC server, as Crossplane's package runtime starts it."""

from typing import Any

import click
from crossplane.function import cli

from localcloud_event_pipeline.function import FunctionRunner


@click.command()
@cli.standard_options
def main(**options: Any) -> None:
    """Serve the composition function."""
    cli.run(FunctionRunner(), **options)


if __name__ == "__main__":
    main()
