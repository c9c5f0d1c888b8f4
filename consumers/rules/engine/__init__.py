"""Rules, live: what is on the log is judged as it comes, exactly once, over all shards."""
