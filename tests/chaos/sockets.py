"""The WebSocket tests at full size: the founding case 1,000 times, 1,000 sockets at once with a worker
killed, kills while messages fly, and clients and servers that stop reading."""
import os
import subprocess
import sys
from pathlib import Path

TEST = Path(__file__).resolve().parents[1] / 'e2e' / 'test_websocket.py'


def sized(report, seconds):
    env = dict(os.environ, FETCHD_WS_ROUNDS='1000', FETCHD_WS_SOCKETS='1000',
               FETCHD_WS_SECONDS=str(int(seconds)))
    with report.scenario('WebSockets at full size'):
        run = subprocess.run([sys.executable, str(TEST), 'Founding', 'Lost', 'Stalls'], env=env, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        points, planned = 0, run.stdout.partition('1..')[2].split()[:1]
        for line in run.stdout.splitlines():
            result, _, claim = line.partition(' - ')
            if not result.startswith(('ok ', 'not ok ')):
                print('   ' + line)
                continue
            points += 1
            name, _, reason = claim.partition(' # SKIP ')
            if reason:
                report.skip(name, reason)
            else:
                report.claim(name, result.startswith('ok '))
        report.claim('all WebSocket tests came to their end', planned == [str(points)])
