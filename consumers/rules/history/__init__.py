"""Rules over what the log holds already: what would have been, what is different, what is to be raised, was live right."""
