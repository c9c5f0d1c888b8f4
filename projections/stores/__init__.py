"""Where the rows of projections are kept."""
