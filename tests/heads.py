"""How files begin: enough for them to be taken for what they are, and nothing behind it."""

from __future__ import annotations

#: A list of brands, and a box of media that goes on to the end.
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom\x00\x00\x00\x00mdat"
#: The signature and the first chunk: 64 x 36 pixels.
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00@\x00\x00\x00$\x08\x02\x00\x00\x00"
