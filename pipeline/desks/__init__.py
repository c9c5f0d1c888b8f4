"""The desks: what people command of tasks, agents and configuration, and the facts that come of it."""
