"""What could not be understood, kept whole until somebody mends it."""
