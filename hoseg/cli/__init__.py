"""The command line: one file a command. Imports anything; nothing imports it."""
