"""Makes ocr.png: two lines in a 5x7 dot font of our own, for the test of text recognition."""
import struct, zlib
FONT = {
    "A": "01110 10001 10001 11111 10001 10001 10001", "C": "01111 10000 10000 10000 10000 10000 01111",
    "E": "11111 10000 10000 11110 10000 10000 11111", "H": "10001 10001 10001 11111 10001 10001 10001",
    "I": "01110 00100 00100 00100 00100 00100 01110", "L": "10000 10000 10000 10000 10000 10000 11111",
    "M": "10001 11011 10101 10101 10001 10001 10001", "N": "10001 11001 10101 10101 10011 10001 10001",
    "O": "01110 10001 10001 10001 10001 10001 01110", "P": "11110 10001 10001 11110 10000 10000 10000",
    "R": "11110 10001 10001 11110 10100 10010 10001", "T": "11111 00100 00100 00100 00100 00100 00100",
    "V": "10001 10001 10001 10001 10001 01010 00100", " ": "00000 00000 00000 00000 00000 00000 00000",
}
LINES, DOT, EDGE = ["THE CHAIR", "OLIVE OIL", "COPPER TEA"], 6, 60
height = EDGE * 2 + len(LINES) * 12 * DOT
width = EDGE * 2 + max(map(len, LINES)) * 6 * DOT
rows = [bytearray(b"\xff" * width) for _ in range(height)]
for n, line in enumerate(LINES):
    for k, char in enumerate(line):
        for y, dots in enumerate(FONT[char].split()):
            for x, dot in enumerate(dots):
                if dot == "1":
                    for row in range(DOT):
                        left = EDGE + (k * 6 + x) * DOT
                        rows[EDGE + (n * 12 + y) * DOT + row][left:left + DOT] = b"\0" * DOT
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
raw = b"".join(b"\0" + bytes(row) for row in rows)
open("ocr.png", "wb").write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
                            + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))
