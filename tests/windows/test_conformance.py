#!/usr/bin/python3
"""The protocol's conformance script by libfetchd.dll's own code, over a named pipe: adapter.exe and fetchd.exe under Wine."""
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1] / 'conformance')]
import bed  # noqa: E402
import script  # noqa: E402
from support import tap  # noqa: E402


class Windows(script.Script):
    @classmethod
    def prepare(cls):
        cls.adapter = ['wine', str(bed.ADAPTER)]
        cls.environment = bed.wine.shared().environment

    @classmethod
    def make(cls, allow=(), **options):
        options.setdefault('workers', cls.workers)
        return bed.Daemon(allow=[*cls.site.nginx.ports.values(), cls.sockets.port, *allow], ca=cls.site.authority.cert_path,
                          settings=cls.settings, **options)


if __name__ == '__main__':
    tap.main()
