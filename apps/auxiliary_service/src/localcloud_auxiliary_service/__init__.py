"""Buckets and parameters of one environment, for the Main API alone."""

__version__ = "0.1.0"
