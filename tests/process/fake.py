"""A daemon whose workers are fake_worker.py in some mode, and what they noted."""
import json
import os
from pathlib import Path

from support import paths
from support.daemon import Daemon

PROGRAM = Path(__file__).resolve().parent / 'fake_worker.py'
GOOD, BAD, HELD = 'https://origin.test/good', 'https://origin.test/bad', 'https://origin.test/held'
QUICK = {'workers.backoff_min': '10ms', 'workers.backoff_max': '100ms', 'workers.hang_timeout': '2s',
         'workers.start_timeout': '5s'}


class FakeDaemon(Daemon):
    def __init__(self, mode, workers=1, settings=None, **more):
        folder = paths.folder('f')
        program = folder / ('fetchd-worker.' + mode)
        os.symlink(PROGRAM, program)
        super().__init__(workers=workers, program=program, settings=dict(QUICK, **(settings or {})),
                         folder=folder, **more)

    def notes(self, kind=None):
        """What the workers noted, oldest first."""
        try:
            text = (self.folder / 'notes').read_text()
            lines = text[:text.rfind('\n') + 1].splitlines()       # the last may be half written
        except FileNotFoundError:
            return []
        return [note for note in map(json.loads, lines) if kind in (None, note['kind'])]

    def fetches(self, path):
        """The FETCHes for URLs with `path` in them that workers were given."""
        return [note['body'] for note in self.notes('FETCH') if path in note['body']['url']]

    def restarts(self):
        return sum(w.get('restarts', 0) for w in self.status()['workers'])
