"""Run a task, see it through, and record how it went."""

from jilog_agent.supervise.events import TaskRun, TaskSpec
from jilog_agent.supervise.policy import RetryPolicy
from jilog_agent.supervise.recorder import Recorder
from jilog_agent.supervise.supervisor import Supervisor, TaskResult

__all__ = ["Recorder", "RetryPolicy", "Supervisor", "TaskResult", "TaskRun", "TaskSpec"]
