"""The AWS shape on one machine, and the check that it works."""
