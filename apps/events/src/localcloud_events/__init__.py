"""What the event producer and the event consumer share."""
