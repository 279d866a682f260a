"""Run the command line as ``python -m jilog_agent``."""

from jilog_agent.main import main

if __name__ == "__main__":
    main()
