"""What happened in a day, told once, as a fact on the log."""
