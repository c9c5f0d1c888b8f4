"""Who is told what, by which channel, and why: decide, write it down, deliver, write down what became of it."""
