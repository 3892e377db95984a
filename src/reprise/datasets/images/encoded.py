"""What the bytes of a PNG or a JPEG say of the image before it is decoded."""

import zlib
from collections.abc import Iterator

PNG_START, JPEG_START = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
PNG_END, JPEG_END = b"\0\0\0\0IEND\xaeB`\x82", b"\xff\xd9"
_NO_FRAMES = (0xC4, 0xC8, 0xCC)  # JPEG markers among those of frames


def is_whole_png(data: bytes) -> bool:
    """Walk the chunks and compare their checksums: Pillow, quick, skips those of the pixels."""
    at = len(PNG_START)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body, end = data[at + 4 : at + 8 + length], at + 12 + length
        if zlib.crc32(body) != int.from_bytes(data[end - 4 : end], "big"):
            return False
        if body == b"IEND":
            return True
        at = end
    return False


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Rows and columns that a JPEG's bytes speak of, before EXIF orientation; (0, 0) if none."""
    for marker, at in _jpeg_segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
            sides = data[at + 3 : at + 5], data[at + 5 : at + 7]
            return int.from_bytes(sides[0], "big"), int.from_bytes(sides[1], "big")
    return 0, 0


def is_whole_jpeg(data: bytes) -> bool:
    """Look for the end marker behind the head, where a thumbnail may have an end of its own."""
    ends = [at + int.from_bytes(data[at : at + 2], "big") for _, at in _jpeg_segments(data)]
    return data.rfind(JPEG_END, ends[-1] if ends else 2) > 0


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Marker, and place of its length, of each part of a JPEG's head."""
    at = 2
    while data[at : at + 1] == b"\xff" and (marker := data[at + 1 : at + 2]) != b"\xda":
        if marker == b"\xff":  # filling
            at += 1
            continue
        yield int.from_bytes(marker, "big"), at + 2
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
