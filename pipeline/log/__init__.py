"""The event log: the truth that everything else is derived from."""
