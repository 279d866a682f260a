"""The manual inside the program: documents as topics of ``jilog help``, and the reference of all commands."""
