"""zstd for DATA payloads, with every length checked before anything is allocated."""

from __future__ import annotations

import zstandard

from jilog_spool.errors import ProtocolError
from jilog_spool.limits import CHUNK_BYTES_MAX

CAPABILITY = "zstd"
LEVEL = 1
"""Level 3 gains a tenth in size for a third of the speed, level 9 is slower than most links."""

WORTHWHILE_RATIO = 0.9
"""Compressed payloads larger than this share of the original are sent as they are."""


class Compressor:
    """Compress the chunks of one transfer, and stop trying once a chunk gained nothing."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdCompressor(level=LEVEL, write_checksum=False)
        self._worthwhile = True

    def compress(self, chunk: bytes) -> bytes | None:
        """Give the compressed chunk; None when it is to be sent as it is."""
        if not self._worthwhile or not chunk:
            return None
        packed = self._zstd.compress(chunk)
        self._worthwhile = len(packed) < WORTHWHILE_RATIO * len(chunk)
        return packed if self._worthwhile else None


def decompress(payload: bytes) -> bytes:
    """Give back one chunk.

    Raises:
        ProtocolError: not one zstd frame that states its size, or one of more than CHUNK_BYTES_MAX.
    """
    try:
        parameters = zstandard.get_frame_parameters(payload)
        # The library allocates what the frame claims, so the claim is checked first.
        if parameters.content_size > CHUNK_BYTES_MAX or parameters.window_size > 2 * CHUNK_BYTES_MAX:
            raise ProtocolError(f"peer sent a chunk that claims {parameters.content_size} bytes")
        chunk = zstandard.ZstdDecompressor().decompress(payload, read_across_frames=False)
    except zstandard.ZstdError as exc:
        raise ProtocolError(f"peer sent a chunk that does not decompress: {exc}") from exc
    if len(chunk) != parameters.content_size:
        raise ProtocolError("peer sent a chunk of another size than it claims")
    return chunk
