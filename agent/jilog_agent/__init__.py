"""The agent: the host's program and the human's hand."""
