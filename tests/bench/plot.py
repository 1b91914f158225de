"""Plots of curves.json by gnuplot: for each curve throughput, CPU a request and latency, as one SVG."""
import re
import shutil
import statistics
import subprocess

COLOURS = {'distro': '#888888', 'same': '#1f6fb4', 'fetchd': '#c8372d'}

EMPTY = re.compile(r'<g [^>]*>\s*</g>\n')        # more than half of what gnuplot writes

START = '''
set terminal svg size 1180,340 font 'sans-serif,12' background '#ffffff'
set multiplot layout 1,3
set style data linespoints
set grid linecolor '#dddddd'
set border 3
set tics nomirror
set logscale x
set xrange [*:*]
set xlabel %s offset 0,0.6
set bmargin 5.5
set key outside below center horizontal Left reverse samplen 1.5 width -1
'''
PANEL = '''
set title %s
set yrange [%s:*]
%s
plot %s
'''


def quoted(text):
    return "'%s'" % str(text).replace("'", "''")


def ticks(points):
    """Each point is a tick, in KiB and MiB where they are bytes."""
    def label(point):
        for unit, size in (('M', 1 << 20), ('K', 1 << 10)):
            if point >= size and point % size == 0:
                return '%d%s' % (point // size, unit)
        return '{:,}'.format(point)
    return 'set xtics (%s)' % ', '.join('%s %d' % (quoted(label(point)), point) for point in points)


class Plot:
    def __init__(self, curve):
        self.axis = curve['axis']
        self.found = {int(point): by for point, by in curve['found'].items()}
        self.points = sorted(self.found)
        self.contestants = [who for who in COLOURS if who in self.found[self.points[0]]]
        self.blocks = []

    def block(self, who, value):
        """A data block of what `value` makes of a round; its name."""
        name = '$d%d' % len(self.blocks)
        rows = ['%d %.6g' % (point, statistics.median(map(value, self.found[point][who]))) for point in self.points]
        self.blocks.append('%s << E\n%s\nE\n' % (name, '\n'.join(rows)))
        return name

    def line(self, who, value, title=None, dash=1, colour=None):
        return "%s using 1:2 title %s linecolor rgb '%s' linewidth 1.6 pointtype 7 pointsize 0.4 dashtype %d" % (
            self.block(who, value), quoted(who if title is None else title), colour or COLOURS[who], dash)

    def lines(self, name, **look):
        return [self.line(who, lambda one: one[name], **look) for who in self.contestants]

    def throughput(self):
        if self.axis == 'bytes':
            return 'MB a second', '1', 'set logscale y', self.lines('mb_per_s')
        return 'requests a second', '0', 'unset logscale y', self.lines('requests_per_s')

    def cpu(self):
        """Alone, fetchd's is shown by process."""
        lines = self.lines('cpu_us')
        if len(self.contestants) == 1:
            parts = {'workers': '#e08a3c', 'daemon': '#7a4fa3', 'client': '#4c9a5b'}
            lines += [self.line('fetchd', lambda one, part=part: one['parts_us'][part], part, colour=colour)
                      for part, colour in parts.items()]
        wide = self.axis == 'bytes'
        return 'CPU a request, µs', *(('10', 'set logscale y') if wide else ('0', 'unset logscale y')), lines

    def latency(self):
        lines = self.lines('p50_ms') + self.lines('p99_ms', dash=2, title='')
        return 'latency, ms: half of all, and 99 % (dashed)', '*', 'set logscale y', lines

    def script(self):
        panels = [PANEL % (quoted(title), least, scale, ', '.join(lines))
                  for title, least, scale, lines in (self.throughput(), self.cpu(), self.latency())]
        return ''.join([START % quoted(self.axis), ticks(self.points), '\n', *self.blocks, *panels])


def plot(result, folder):
    """Writes NAME.svg for each curve into the folder."""
    if not shutil.which('gnuplot'):
        print('no gnuplot (package gnuplot-nox), so no plots')
        return
    for name, curve in result['curves'].items():
        drawn = subprocess.run(['gnuplot'], input=Plot(curve).script(), stdout=subprocess.PIPE, text=True, check=True)
        (folder / (name + '.svg')).write_text(EMPTY.sub('', drawn.stdout))
