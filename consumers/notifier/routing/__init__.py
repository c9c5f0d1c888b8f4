"""Who is to be told: the tree of routes, its matchers, its times."""
