"""CRC-32 with zlib's polynomial: isal computes the same value many times faster where it is installed."""

from __future__ import annotations

try:
    from isal.isal_zlib import crc32
except ImportError:
    from zlib import crc32

__all__ = ["crc32"]
