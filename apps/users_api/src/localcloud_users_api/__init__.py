"""Users with avatars over HTTP: DynamoDB holds the users, S3 the avatars."""
