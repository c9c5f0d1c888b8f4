"""Where events are found whole by their position, for longer than a stream keeps them."""
