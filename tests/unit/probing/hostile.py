"""Files that ask for more than they are worth."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

MIB = 2**20


def box(kind, *content):
    inside = b"".join(content)
    return struct.pack("!I", len(inside) + 8) + kind + inside


FTYP = box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41")


def compressed_moov(mebibytes):
    """A header of so many MiB, compressed a thousandfold."""
    packer = zlib.compressobj(1)
    zeros = bytes(MIB)
    packed = [packer.compress(zeros) for _ in range(mebibytes)]
    packed.append(packer.flush())
    cmvd = box(b"cmvd", struct.pack("!I", mebibytes * MIB), *packed)
    return FTYP + box(b"moov", box(b"cmov", box(b"dcom", b"zlib"), cmvd))


def gigantic_atom():
    """A header that says it has 2^40 bytes, with a sample table of 2^30 entries."""
    stsz = struct.pack("!I4sIII", 0xFFFFFFF0, b"stsz", 0, 0, 0x3FFFFFFF)
    stts = struct.pack("!I4sII", 0xFFFFFFF0, b"stts", 0, 0x0FFFFFFF)
    trak = b"".join(struct.pack("!I4s", 0x7FFFFFF0, kind) for kind in (b"trak", b"mdia", b"minf", b"stbl"))
    return FTYP + struct.pack("!I4sQ", 1, b"moov", 2**40) + trak + stts + stsz + bytes(1000)


def webp_of_a_gigapixel():
    """An animation whose canvas is 16383 x 16383, and whose only frame is one pixel."""
    one = io.BytesIO()
    Image.new("RGB", (1, 1)).save(one, "WEBP", lossless=True)
    frame = one.getvalue()[12:]
    side = (16382).to_bytes(3, "little")

    def chunk(kind, content):
        return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    anmf = bytes(6) + bytes(3) + bytes(3) + (100).to_bytes(3, "little") + b"\0" + frame
    body = chunk(b"VP8X", b"\x02\0\0\0" + side + side) + chunk(b"ANIM", bytes(6)) + chunk(b"ANMF", anmf)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def png_of(width, height, *chunks):
    """The header of a picture, other chunks, and no pixels."""

    def chunk(kind, content):
        return (
            struct.pack("!I", len(content)) + kind + content + struct.pack("!I", zlib.crc32(kind + content))
        )

    head = chunk(b"IHDR", struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunk(*one) for one in chunks) + chunk(b"IDAT", b"x")


def png_with_long_text(mebibytes):
    return png_of(64, 64, (b"zTXt", b"a\0\0" + zlib.compress(bytes(mebibytes * MIB))))


def png_with_a_large_chunk(mebibytes):
    return png_of(64, 64, (b"prIv", bytes(mebibytes * MIB)))
