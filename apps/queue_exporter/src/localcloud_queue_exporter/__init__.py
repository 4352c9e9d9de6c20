"""Exports the depth of SQS queues and of their dead-letter queues."""
