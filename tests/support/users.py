"""Other users, by forked children of a root test: nothing of the tree needs to be readable for them.

    alice = User(4101)
    answer = alice.does(lambda: client(path))       # runs in a child that is alice; what it returns comes back
"""
import os
import pickle
import traceback

CAN = os.geteuid() == 0
WHY_NOT = 'only root can become somebody else'


class User:
    """A uid that no password file need know, its own gid, and supplementary groups."""

    def __init__(self, uid, groups=(), gid=None):
        self.uid, self.gid, self.groups = uid, uid if gid is None else gid, list(groups)

    def become(self):
        if self.uid == os.geteuid():
            return
        os.setgroups(self.groups)
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)

    def does(self, call):
        """What `call` returns or raises, from a child that is this user."""
        readable, writable = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(readable)
            os._exit(self.answer(call, writable))
        os.close(writable)
        with os.fdopen(readable, 'rb') as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
        good, value = pickle.loads(answer)
        if not good:
            raise AssertionError('as uid %d:\n%s' % (self.uid, value))
        return value

    def answer(self, call, fd):
        try:
            self.become()
            result = pickle.dumps((True, call()))
        except BaseException:
            result = pickle.dumps((False, traceback.format_exc()))
        with os.fdopen(fd, 'wb') as pipe:
            pipe.write(result)
        return 0


def root():
    return User(0, gid=0)
