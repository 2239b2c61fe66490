"""From masks and millimetres to classes with a trace. No torch here."""
