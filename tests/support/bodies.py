"""Contents of known hash: files for the static origin, and bytes for uploads."""
import functools
import hashlib

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


def write_sparse(path, size=GIB, step=MIB, seed='sparse'):
    """A large file that costs little disk: 4 KiB of content at the start of every `step`, holes
    between. It compresses a hundredfold, which is the hard case for a decoder under credit."""
    with open(path, 'wb') as out:
        for offset in range(0, size, step):
            out.seek(offset)
            out.write(content(4 * KIB, '%s %d' % (seed, offset)))
        out.truncate(size)


def file_sha256(path):
    with open(path, 'rb') as data:
        return hashlib.file_digest(data, 'sha256').hexdigest()
