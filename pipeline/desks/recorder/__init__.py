"""What keeps the desks' facts: ``eventsourcing``'s recorders in a SQLite file, and our own in a DynamoDB table."""
