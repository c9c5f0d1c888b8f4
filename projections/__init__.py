"""What we know now: folds of the log into rows, and the questions that rows answer."""
