"""Publishes events to an SNS topic at a steady rate."""
