"""Records on the stream that are no events yet: foreign ones, put there by others."""
