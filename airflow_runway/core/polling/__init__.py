"""When a generation is looked at again, and when a wait is over."""
