"""Users with avatars over HTTP: DynamoDB holds the users, S3 the avatars."""

__version__ = "0.1.0"
