"""The command line: the only part that knows click, and the only one that prints."""
