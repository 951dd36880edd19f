"""Packed bodies made plain: `gzip` (RFC 1952: one member or several) and `deflate`, with its frame or without.

`deflate` means zlib's format (RFC 9110, 8.4.1.2); there it is also said that some servers send it without the frame.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

NAMES = frozenset({"gzip", "x-gzip", "deflate"})
_PIECE_BYTES = 64 * 1024
_FRAME_BYTES = 2
_GZIP_OR_ZLIB, _BARE = 32 + zlib.MAX_WBITS, -zlib.MAX_WBITS
_DEFLATED = 8


class Unpacker:
    """Unpacks a body as it comes, in small pieces: a few packed bytes may be gigabytes."""

    def __init__(self) -> None:
        self._held = b""
        self._inner: zlib._Decompress | None = None
        self._members = 0

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """What `packed` adds to the body.

        Raises:
            zlib.error: it is damaged.
        """
        self._held += packed
        while self._held:
            if self._inner is None:
                if len(self._held) < _FRAME_BYTES:
                    return
                if self._members and not _is_gzip(self._held):
                    self._held = b""  # filling behind the last member
                    return
                self._inner = zlib.decompressobj(_GZIP_OR_ZLIB if _is_framed(self._held) else _BARE)
            piece = self._inner.decompress(self._held, _PIECE_BYTES)
            self._held = self._inner.unconsumed_tail
            if self._inner.eof:
                self._held, self._inner, self._members = self._inner.unused_data, None, self._members + 1
            if piece:
                yield piece


def _is_gzip(start: bytes) -> bool:
    return start.startswith(b"\x1f\x8b")


def _is_framed(start: bytes) -> bool:
    """Whether a gzip member begins here, or zlib's frame: its two bytes are a multiple of 31 (RFC 1950)."""
    return _is_gzip(start) or (start[0] % 16 == _DEFLATED and int.from_bytes(start[:2]) % 31 == 0)
