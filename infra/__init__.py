"""The shape of the system on AWS, and what it costs."""
