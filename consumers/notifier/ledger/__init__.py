"""What was decided, what was sent, and what became of it: the notifier's own memory."""
