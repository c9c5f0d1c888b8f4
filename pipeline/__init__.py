"""How facts get in, stay, and are replayed."""
