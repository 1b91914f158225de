"""Writes the program that stands in the comment of <fetchd/client.h> to a file, so that it is compiled
and run as a test: example.py HEADER OUTPUT"""
import re
import sys


def program(header):
    """The first block of lines set in by five spaces that begins with an #include."""
    comment = header.split('*/', 1)[0]
    lines = [re.sub(r'^ \*( |$)', '', line) for line in comment.splitlines()]
    start = next(i for i, line in enumerate(lines) if line.startswith('    #include'))
    end = next(i for i, line in enumerate(lines[start:], start) if line == '    }')
    return '\n'.join(line[4:] for line in lines[start:end + 1]) + '\n'


if __name__ == '__main__':
    with open(sys.argv[1]) as header, open(sys.argv[2], 'w') as output:
        output.write(program(header.read()))
