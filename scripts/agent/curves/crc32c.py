"""The checksum of TensorBoard's event files: CRC-32C, masked."""

POLYNOMIAL = 0x82F63B78


def table():
    found = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ (POLYNOMIAL if byte & 1 else 0)
        found.append(byte)
    return tuple(found)


TABLE = table()


def masked(data):
    crc, known = 0xFFFFFFFF, TABLE
    for byte in data:
        crc = known[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
