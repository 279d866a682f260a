"""The status page: what the commands say, as a page on loopback, served by the agent when it is asked to.

Every view runs the command that a person would type and renders its JSON, in a process of its own. So the
page can say nothing else than the command line does, a slow query never slows the agent, and a page that
breaks breaks alone.
"""
