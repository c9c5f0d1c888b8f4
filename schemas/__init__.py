"""What a fact looks like: the envelope, the models of event bodies, and their codecs. No I/O here."""
