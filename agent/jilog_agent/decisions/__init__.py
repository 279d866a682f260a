"""Decisions: what people and agents decided, tried and put off, written, found and told.

The operations here work on open zones and give values or text; the command line parses and prints, and
whoever serves a socket can call the same functions.
"""
