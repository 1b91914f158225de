"""Figures in a file, and what they depend on beside them."""
import json
import os
import platform
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def model():
    for line in Path('/proc/cpuinfo').read_text().splitlines():
        if line.startswith('model name'):
            return line.split(':', 1)[1].strip()
    return platform.machine()


def commit():
    said = subprocess.run(['git', '-C', TOP, 'describe', '--always', '--dirty'], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    return said.stdout.strip()


def facts():
    """`load` before the start says whether something else ran."""
    return {'processors': os.cpu_count(), 'model': model(), 'kernel': platform.release(),
            'memory_gib': round(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30),
            'load': round(os.getloadavg()[0], 2), 'commit': commit(), 'date': time.strftime('%Y-%m-%d')}


def rounded(value):
    """Six digits are more than any of these figures has."""
    if isinstance(value, float):
        return float('%.6g' % value)
    if isinstance(value, dict):
        return {str(name): rounded(one) for name, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, (list, tuple)) else value


def save(found, folder, name):
    """Gives back what a reader of the file gets."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    found = rounded(found)
    (Path(folder) / name).write_text(json.dumps(found, separators=(',', ':')) + '\n')
    return found
