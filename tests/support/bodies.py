"""Contents of known hash: files for the static origin, and bytes for uploads."""
import functools
import hashlib
import struct
import zlib

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def content(size, seed='fetchd'):
    """`size` bytes that look random and are the same in every run."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@functools.lru_cache(maxsize=None)
def content_sha256(size, seed='fetchd'):
    return sha256(content(size, seed))


def write(path, size, seed='fetchd'):
    """A file of `size` such bytes. Returns its hash."""
    data = content(size, seed)
    path.write_bytes(data)
    return sha256(data)


def islands(size):
    """What a sparse file holds: 4 KiB of content at the start of every MiB, zeros between."""
    for offset in range(0, size, MIB):
        yield offset, content(4 * KIB, 'sparse %d' % offset)


def write_sparse(path, size=GIB):
    """A large file that costs little disk."""
    with open(path, 'wb') as out:
        for offset, island in islands(size):
            out.seek(offset)
            out.write(island)
        out.truncate(size)


def deflated(data):
    """Raw deflate that ends on a byte and refers to nothing before it, so that pieces can be joined."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)


def write_sparse_gzip(path, size=GIB):
    """The same file in gzip, put together without compressing a gigabyte: two hundred to one, which
    is the hard case for a decoder under credit, and no work for the server that sends it."""
    zeros = bytes(MIB - 4 * KIB)
    packed_zeros, crc = deflated(zeros), 0
    with open(path, 'wb') as out:
        out.write(b'\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff')
        for _, island in islands(size):
            out.write(deflated(island) + packed_zeros)
            crc = zlib.crc32(zeros, zlib.crc32(island, crc))
        out.write(b'\x03\x00' + struct.pack('<II', crc, size & 0xffffffff))


def file_sha256(path):
    with open(path, 'rb') as data:
        return hashlib.file_digest(data, 'sha256').hexdigest()
