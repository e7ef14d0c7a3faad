"""Damage bytes on purpose, as a function of a random generator: the same seed, the same damage."""

from __future__ import annotations

import gzip
import random
import re
import struct
import zlib
from collections.abc import Callable

Mutation = Callable[[bytes, random.Random], bytes]

_INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000,
                0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF)  # fmt: skip
_NUMBERS = (b"0", b"-1", b"1e309", b"nan", b"-0.0", b"1e-320", b"99999999999999999999", b"0x10",
            b"1_0", b"\xd9\xa3", b"1.5", b"true", b"null", b"[]", b"{}", b'""')  # fmt: skip
_WORDS = (b"", b"\x00", b"../../etc/passwd", b"\xff\xfe", b"\xed\xa0\x80", b"A" * 5000, b"\n",
          b"\r", b'"', b"'", b"{", b"[" * 200, b"%s%n", b"\\u0000", b"\\ud800",
          b"<!--")  # fmt: skip
_TOKEN = re.compile(rb"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[A-Za-z_]+|[^\sA-Za-z0-9_]")
_NESTED = 3000


def in_bytes(data: bytes, rng: random.Random) -> bytes:
    """A few changes anywhere: bits, bytes, numbers at the edge of their type, cuts, repeats."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        changed = _one_change(changed, rng)
    return bytes(changed)


def in_head(length: int) -> Mutation:
    """Changes in the first `length` bytes, where the header is; sometimes elsewhere too."""

    def change(data: bytes, rng: random.Random) -> bytes:
        if rng.random() < 0.15:
            return in_bytes(data, rng)
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            _overwrite(changed, rng.randrange(min(length, len(changed))), rng)
        return bytes(changed)

    return change


def in_text(data: bytes, rng: random.Random) -> bytes:
    """Changes of numbers, words and lines, as a person or a broken program would make them."""
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        data = _one_word(data, rng)
    return in_bytes(data, rng) if rng.random() < 0.1 else data


def inside_gzip(inner: Mutation) -> Mutation:
    """Damage before packing, so that the checksum holds; sometimes after."""

    def change(data: bytes, rng: random.Random) -> bytes:
        if rng.random() < 0.2:
            return in_bytes(data, rng)
        return gzip.compress(inner(gzip.decompress(data), rng), compresslevel=1, mtime=0)

    return change


def inside_png(data: bytes, rng: random.Random) -> bytes:
    """Damage of one chunk, its checksum made right again; sometimes of any byte."""
    if rng.random() < 0.2:
        return in_bytes(data, rng)
    chunks, at = [], 8
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += size + 12
    index = rng.randrange(len(chunks))
    name, body = chunks[index]
    if name == b"IDAT" and rng.random() < 0.7:
        body = zlib.compress(in_bytes(zlib.decompress(body), rng), 1)
    else:
        body = in_bytes(body, rng)
    chunks[index] = (name, body)
    if rng.random() < 0.1:
        chunks.insert(rng.randrange(len(chunks)), rng.choice(chunks))
    packed = (
        len(b).to_bytes(4, "big") + n + b + zlib.crc32(n + b).to_bytes(4, "big") for n, b in chunks
    )
    return data[:8] + b"".join(packed)


def bomb(size: int) -> bytes:
    """Zeros, packed as well as deflate can."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packer.compress(bytes(size)) + packer.flush()


def _one_change(data: bytearray, rng: random.Random) -> bytearray:
    if not data:
        return bytearray(rng.randbytes(4))
    at = rng.randrange(len(data))
    kind = rng.randrange(7)
    if kind <= 2:
        _overwrite(data, at, rng)
    elif kind == 3:
        return data[:at]
    elif kind == 4:
        del data[at : at + rng.choice((1, 2, 4, 64))]
    elif kind == 5:
        part = data[at : at + rng.choice((1, 4, 32, 512))]
        data[at:at] = part * rng.choice((1, 2, 50))
    else:
        data[at:at] = rng.randbytes(rng.choice((1, 4, 64)))
    return data


def _overwrite(data: bytearray, at: int, rng: random.Random) -> None:
    kind = rng.randrange(4)
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[at] = rng.randrange(256)
    else:
        number, width = rng.choice(_INTERESTING), rng.choice((1, 2, 4, 8))
        order = rng.choice(("little", "big"))
        packed = (number % (1 << (8 * width))).to_bytes(width, order)  # type: ignore[arg-type]
        if kind == 3 and width >= 4:
            value = rng.choice((float("nan"), float("inf"), -1.0, 0.0, 1e-40, 1e30))
            packed = struct.pack("<f" if width == 4 else "<d", value)
        data[at : at + width] = packed[: len(data) - at]


def _one_word(data: bytes, rng: random.Random) -> bytes:
    tokens = list(_TOKEN.finditer(data))
    kind = rng.randrange(8)
    if not tokens or kind == 7:
        nested = rng.choice((b"[", b'{"a":', b"a.", b"("))
        at = rng.randrange(len(data) + 1)
        return data[:at] + nested * rng.choice((1, 40, _NESTED)) + data[at:]
    token = rng.choice(tokens)
    before, after = data[: token.start()], data[token.end() :]
    if kind <= 2:
        return before + rng.choice(_NUMBERS) + after
    if kind == 3:
        return before + rng.choice(_WORDS) + after
    if kind == 4:
        return before + rng.choice(tokens)[0] + after
    lines = data.split(b"\n")
    line = rng.randrange(len(lines))
    if kind == 5:
        del lines[line]
    else:
        lines.insert(rng.randrange(len(lines) + 1), lines[line])
    return b"\n".join(lines)
