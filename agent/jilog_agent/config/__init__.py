"""The configuration: what may be said, where it is said, and which saying won."""

from jilog_agent.config.load import ConfigSources, load_config
from jilog_agent.config.model import (
    AgentConfig,
    Config,
    DirectoryConfig,
    PeerConfig,
    ReaderConfig,
    ReviewConfig,
    Setting,
    SpoolConfig,
    TrackerConfig,
    ZoneConfig,
)

__all__ = [
    "AgentConfig",
    "Config",
    "ConfigSources",
    "DirectoryConfig",
    "PeerConfig",
    "ReaderConfig",
    "ReviewConfig",
    "Setting",
    "SpoolConfig",
    "TrackerConfig",
    "ZoneConfig",
    "load_config",
]
