"""What waits for a person, given another chance: dead letters of the notifier, parked events of projections."""
