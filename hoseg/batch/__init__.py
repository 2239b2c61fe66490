"""Many studies: plan, journal, executor."""
