"""Unpacking of response bodies as they come: the content codings of RFC 9110 (8.4.1), br (RFC 7932), zstd (RFC 8878).

lbk asks for none of them; some servers pack all the same. `gzip` may have several members, `deflate` may lack its
frame.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

_PIECE_BYTES = 64 * 1024
_FRAME_BYTES = 2
_GZIP_OR_ZLIB, _BARE = 32 + zlib.MAX_WBITS, -zlib.MAX_WBITS
_DEFLATED = 8
_WIDEST_ZSTD_WINDOW = 23
"""The largest window, as a power of two: 8 MiB, the most memory that a sender may ask for (RFC 9659)."""


class Damaged(Exception):
    """A body that cannot be unpacked."""


class Unpacker(Protocol):
    """An unpacker of one body as it comes, in small pieces: a few packed bytes may be gigabytes."""

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Yield what `packed` adds to the body.

        Raises:
            Damaged: it cannot be unpacked.
        """


def unpackers(content_encoding: str) -> tuple[Unpacker, ...]:
    """Return the unpackers for a Content-Encoding, in the order of their use.

    Unknown names are left out.
    """
    names = (name.strip().casefold() for name in reversed(content_encoding.split(",")))
    return tuple(_MADE[name]() for name in names if name in _MADE)


class _Inflated:
    """The unpacker for `gzip` and for `deflate`: zlib's format, which some send without its frame."""

    def __init__(self) -> None:
        self._held = b""
        self._inner: zlib._Decompress | None = None
        self._members = 0

    def feed(self, packed: bytes) -> Iterator[bytes]:
        self._held += packed
        while self._held:
            if self._inner is None:
                if len(self._held) < _FRAME_BYTES:
                    return
                if self._members and not _is_gzip(self._held):
                    self._held = b""  # filling behind the last member
                    return
                self._inner = zlib.decompressobj(_GZIP_OR_ZLIB if _is_framed(self._held) else _BARE)
            try:
                piece = self._inner.decompress(self._held, _PIECE_BYTES)
            except zlib.error:
                raise Damaged from None
            self._held = self._inner.unconsumed_tail
            if self._inner.eof:
                self._held, self._inner, self._members = self._inner.unused_data, None, self._members + 1
            if piece:
                yield piece


class _Brotli:
    def __init__(self) -> None:
        import brotli  # type: ignore[import-untyped]  # a C library without stubs

        self._inner, self._error = brotli.Decompressor(), brotli.error

    def feed(self, packed: bytes) -> Iterator[bytes]:
        try:
            yield self._inner.process(packed, output_buffer_limit=_PIECE_BYTES)
            while not (self._inner.is_finished() or self._inner.can_accept_more_data()):
                yield self._inner.process(b"", output_buffer_limit=_PIECE_BYTES)
        except self._error:
            raise Damaged from None


class _Zstandard:
    """The unpacker for `zstd`: one frame, or several."""

    def __init__(self) -> None:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd

        widest = {int(zstd.DecompressionParameter.window_log_max): _WIDEST_ZSTD_WINDOW}
        self._another, self._error = partial(zstd.ZstdDecompressor, options=widest), zstd.ZstdError
        self._inner = self._another()

    def feed(self, packed: bytes) -> Iterator[bytes]:
        try:
            while packed or not self._inner.needs_input:
                if self._inner.eof:
                    self._inner = self._another()
                yield self._inner.decompress(packed, _PIECE_BYTES)
                packed = self._inner.unused_data
                if self._inner.eof and not packed:
                    return
        except self._error:
            raise Damaged from None


_MADE: dict[str, Callable[[], Unpacker]] = {
    "gzip": _Inflated,
    "x-gzip": _Inflated,
    "deflate": _Inflated,
    "br": _Brotli,
    "zstd": _Zstandard,
}


def _is_gzip(start: bytes) -> bool:
    return start.startswith(b"\x1f\x8b")


def _is_framed(start: bytes) -> bool:
    """Say whether a gzip member or a zlib frame begins here.

    The two first bytes of a zlib frame are a multiple of 31 (RFC 1950).
    """
    return _is_gzip(start) or (start[0] % 16 == _DEFLATED and int.from_bytes(start[:2]) % 31 == 0)
