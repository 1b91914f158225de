"""Hands a listening socket over as a service manager does: activate.py FD PROGRAM [ARGUMENT ...]"""
import os
import sys

if __name__ == '__main__':
    listener = int(sys.argv[1])
    if listener != 3:
        os.dup2(listener, 3)
        os.close(listener)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))
    os.execv(sys.argv[2], sys.argv[2:])
