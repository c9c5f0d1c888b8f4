"""The HTTP API: what programs may ask and tell, on the same resolver on a laptop and on Lambda."""
