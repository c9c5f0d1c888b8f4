"""The pages for people: rendered on the server, made live by a little script, usable without it."""
