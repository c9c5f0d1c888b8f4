"""Rules over findings: judged live, over history, and in comparison."""
