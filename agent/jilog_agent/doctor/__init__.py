"""What is wrong with this host's set-up, and the command that mends it: the checks of ``jilog doctor``.

A check looks and changes nothing. Each one lives beside those that look at the same thing, and is given a
:class:`~jilog_agent.doctor.finding.Patient`; :mod:`~jilog_agent.doctor.examination` runs them all.
"""
