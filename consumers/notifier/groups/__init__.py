"""What belongs together is told together: the decisions about groups, as one pure state machine."""
