"""A Markdown page of ours as scdoc, for a manual page: markdown.py FILE body

Knows what ipc/README.md uses: headings, paragraphs, lists, tables, code, `code`, **bold** and links. Its title is left out.
"""
import re
import sys


def escape(text):
    return re.sub(r'([\\*_`])', r'\\\1', text)


def inline(text):
    """`code` and **bold** become bold, *this* underlined, a link its words."""
    out = []
    text = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', text)
    for piece in re.split(r'(`[^`]+`|\*\*[^*]+\*\*|(?<![\w*])\*\w[^*]*\*)', text):
        bold, lined = re.fullmatch(r'(`|\*\*)(.+?)\1', piece), re.fullmatch(r'\*([^*]+)\*', piece)
        out.append('*%s*' % escape(bold.group(2)) if bold else '_%s_' % escape(lined.group(1)) if lined else escape(piece))
    return re.sub(r'^([#|\[\]])', r'\\\1', ''.join(out))


def row(line):
    return [inline(cell.strip()) for cell in re.split(r'(?<!\\)\|', line.strip())[1:-1]]


def table(lines):
    rows = [row(line) for line in lines if not re.fullmatch(r'[|\s:-]+', line)]
    for number, cells in enumerate(rows):
        for place, cell in enumerate(cells):
            start = ('[' if number == 0 else '|') if place == 0 else ':'
            cell = '*%s*' % cell if number == 0 and cell and '*' not in cell else cell
            width = ' ' if number else '[' if place + 1 < len(cells) else '<'
            yield '%s%s %s' % (start, width, cell)


def item(line):
    """A list's lines: `1. ` is `. `, what goes on is set in by two."""
    line = re.sub(r'^\d+\. ', '. ', line)
    mark = re.match(r'(\. |- | +)?', line).group(0)
    return ('  ' if mark.strip() == '' and mark else mark) + inline(line[len(mark):])


def body(text):
    out, rows, code = [], [], False
    for line in [*text.splitlines()[1:], '']:
        if line.startswith('|') and not code:
            rows.append(line)
            continue
        out += table(rows)
        rows = []
        if line.startswith('```'):
            code = not code
            out.append('```')
        elif code:
            out.append(line)
        elif line.startswith('##'):
            out.append(line[1:].upper() if line.startswith('## ') else line[1:])
        else:
            out.append(item(line))
    return re.sub(r'\n{3,}', '\n\n', '\n'.join(out)).strip('\n')


if __name__ == '__main__':
    with open(sys.argv[1], encoding='utf-8') as file:
        print(globals()[sys.argv[2]](file.read()))
