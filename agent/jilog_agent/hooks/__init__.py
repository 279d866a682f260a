"""Hooks of coding agents: what a session should know at its start, and what it changed at its end.

``entry`` is what the agents start; it imports next to nothing and asks the running agent, which does the work
in ``context`` and ``changes``. ``install`` puts the commands into the agents' own settings.
"""
