"""The public API of an environment's configuration, which asks the auxiliary service."""

__version__ = "0.1.0"
