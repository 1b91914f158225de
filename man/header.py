"""What <fetchd/client.h> says, for others to use: header.py HEADER program | introduction | declarations

`program` is the one in its first comment, which is compiled and run as a test; the others are scdoc, for libfetchd(3).
"""
import itertools
import re
import sys


def lines_of(comment):
    """The text of a comment, without its stars."""
    text = re.sub(r'\s*\*/$', '', comment.strip()[2:])
    return [re.sub(r'^ \* ?', '', ' *' + line if not line.startswith(' *') else line).rstrip()
            for line in text.splitlines()]


def halves(header):
    """The first comment, and the declarations from the first section on."""
    first, rest = header.split('*/', 1)
    return lines_of(first + '*/'), rest[rest.index('/* ----'):rest.index('#ifdef __cplusplus\n}')]


def escape(line):
    return re.sub(r'^([#|\[\]])', r'\\\1', re.sub(r'([\\*_`])', r'\\\1', line))


def literal(lines):
    return ['```', *lines, '```', '']


def prose(lines):
    """As scdoc: a line in capitals is a heading, lines set in by four spaces stay as they are, lists are lists."""
    out, inside = [], []
    for line in [*lines, '.']:
        if line.startswith('    ') or (inside and not line):
            inside.append(line[4:])
            continue
        if inside:
            out += literal('\n'.join(inside).rstrip('\n').splitlines())
            inside = []
        if re.fullmatch(r'[A-Z][A-Z, ]+', line):
            out += ['## ' + line]
        else:
            line = re.sub(r'^   (?=\S)', '  ', line)             # the second line of a numbered item
            out.append(re.sub(r'^\d\\?\. ', '. ', escape(line)))
    return out[:-1]


def program(header):
    lines = halves(header)[0]
    start = next(i for i, line in enumerate(lines) if line.startswith('    #include'))
    end = next(i for i, line in enumerate(lines[start:], start) if line == '    }')
    return '\n'.join(line[4:] for line in lines[start:end + 1])


def introduction(header):
    return '\n'.join(prose(halves(header)[0][1:])).strip('\n')


def comment(text):
    """A section's name becomes a heading."""
    section = re.match(r'/\* ---- (.*?) ---- ?', text)
    heading = ['# ' + section.group(1).upper(), ''] if section else []
    return heading + prose(lines_of('/*' + text[section.end():] if section else text)) + ['']


def declarations(header):
    """A comment that stands alone as text, and what it is about as it is."""
    out = []
    tokens = re.findall(r'^/\*.*?\*/\n|^[^\n]*\n', halves(header)[1], re.S | re.M)
    for is_comment, group in itertools.groupby(tokens, lambda token: token.startswith('/*')):
        if is_comment:
            out += [line for text in group for line in comment(text.rstrip('\n'))]
        elif code := ''.join(group).strip('\n'):
            out += literal(code.splitlines())
    return re.sub(r'\n{3,}', '\n\n', '\n'.join(out)).replace('FETCHD_API ', '').strip('\n')


if __name__ == '__main__':
    with open(sys.argv[1], encoding='utf-8') as file:
        print(globals()[sys.argv[2]](file.read()))
