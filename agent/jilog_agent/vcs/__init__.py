"""The state of the repository around a folder, asked of jj and git without changing anything in it."""
