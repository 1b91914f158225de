"""fetchd.py's Client on Windows, where the local stream is a named pipe. Written by the book: no Windows Python has run it
yet."""
import _winapi
import fetchd
import msgpack
PIECE = fetchd.PIECE


class Client(fetchd.Client):   # GENERIC_WRITE would ask for more than a client may have
    ACCESS, IDENTIFY = 0x80000000 | 0x2 | 0x100 | 0x100000, 0x100000 | 0x10000

    def dial(self, address):
        path = (address or 'pipe:\\\\.\\pipe\\fetchd').removeprefix('pipe:')
        self.handle = self.reading = None
        while self.handle is None:
            try:
                self.handle = _winapi.CreateFile(path, self.ACCESS, 0, _winapi.NULL, _winapi.OPEN_EXISTING,
                                                 _winapi.FILE_FLAG_OVERLAPPED | self.IDENTIFY, _winapi.NULL)
            except OSError as error:
                if error.winerror != _winapi.ERROR_PIPE_BUSY:
                    raise
                _winapi.WaitNamedPipe(path, 2000)

    def read_ahead(self):
        self.reading = self.reading or _winapi.ReadFile(self.handle, PIECE, overlapped=True)[0]
        return self.reading.event

    def recv(self, size):                   # waits; at most PIECE whatever `size` says
        try:
            self.read_ahead()
            self.reading.GetOverlappedResult(True)
            return bytes(self.reading.getbuffer())
        except BrokenPipeError:
            return b''
        finally:
            self.reading = None

    def say(self, kind, id, body):
        frame = msgpack.packb([kind, id, body])
        frame = len(frame).to_bytes(4, 'big') + frame
        writing = _winapi.WriteFile(self.handle, frame, overlapped=True)[0]
        while _winapi.WaitForMultipleObjects([writing.event, self.read_ahead()], False, _winapi.INFINITE) != 0:
            self.hear()
        writing.GetOverlappedResult(True)

    def close(self):
        _winapi.CloseHandle(self.handle)
