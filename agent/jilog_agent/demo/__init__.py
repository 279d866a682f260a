"""The demo behind ``make demo``: three hosts on one machine do what three machines would do."""
