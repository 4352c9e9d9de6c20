"""What the HTTP services share: the server, problems, metrics, logs of requests, readiness and the interactive page."""
