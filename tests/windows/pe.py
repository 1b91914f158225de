"""The resources of a Windows program (PE, "Microsoft Portable Executable and Common Object File Format")."""
import struct

VERSION, MANIFEST, MESSAGES = 16, 24, 11


def sections(data):
    start, = struct.unpack_from('<I', data, 0x3c)
    count, optional = struct.unpack_from('<H12xH', data, start + 6)
    for number in range(count):
        entry = start + 24 + optional + 40 * number
        name = data[entry:entry + 8].rstrip(b'\0')
        _, address, size, offset = struct.unpack_from('<IIII', data, entry + 8)
        yield name, address, data[offset:offset + size]


def leaves(tree, offset):
    """Addresses and sizes below a directory."""
    named, numbered = struct.unpack_from('<12xHH', tree, offset)
    for number in range(named + numbered):
        _, child = struct.unpack_from('<II', tree, offset + 16 + 8 * number)
        if child & 0x80000000:
            yield from leaves(tree, child & 0x7fffffff)
        else:
            yield struct.unpack_from('<II', tree, child)


def resources(path):
    """{type: [bytes]}"""
    found = {}
    for name, address, tree in sections(path.read_bytes()):
        if name != b'.rsrc':
            continue
        named, numbered = struct.unpack_from('<12xHH', tree, 0)
        for number in range(named, named + numbered):
            kind, child = struct.unpack_from('<II', tree, 16 + 8 * number)
            found[kind] = [tree[at - address:at - address + size] for at, size in leaves(tree, child & 0x7fffffff)]
    return found
