"""What we do about it: tell people, serve them, and run it all."""
