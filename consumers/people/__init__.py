"""People: who may sign in, and what each may do. A store of its own; the log knows users by their ids only."""
