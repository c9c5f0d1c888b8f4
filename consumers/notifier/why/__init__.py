"""Why somebody was, or was not, told of an event: one sentence, and the chain from the raw input to the notice."""
