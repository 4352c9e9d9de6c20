"""Moves events from an SQS queue into a DynamoDB table."""
