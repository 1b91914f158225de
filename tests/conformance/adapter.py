"""The Python client, driven by the conformance script (test_conformance.py says how)."""
import io
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'client/python'))
import fetchd  # noqa: E402

NUMBERS = ('max_redirects', 'total_timeout_ms', 'max_body_bytes', 'window', 'body_length', 'attempts')
FLAGS = ('follow', 'compressed', 'rewindable')
TEXTS = ('method', 'http_version', 'session')


class Pipe(io.FileIO):
    """A file that can't be read again."""
    def seekable(self):
        return False


def options_of(words):
    """The fields of a FETCH, and what is done with it, as lists."""
    fields, doing = {}, {}
    for name, _, value in (word.partition('=') for word in words):
        if name == 'header':
            fields.setdefault('headers', []).append(value.split(': ', 1))
        elif name in NUMBERS + FLAGS + TEXTS:
            fields[name] = int(value) if name in NUMBERS else value == 'yes' if name in FLAGS else value
        else:
            doing.setdefault(name, []).append(value)
    if 'body' in doing:
        fields['body'] = doing['body'][0].encode()
    if 'upload' in doing:
        kind = open if fields.pop('rewindable', False) else Pipe
        fields['body'] = kind(doing['upload'][0], 'rb')
    return fields, doing


def text(value):
    return value if isinstance(value, str) else value.decode('latin-1')


def print_answer(kind, answer):
    print(kind, answer['status'], answer.get('http_version') or '-', answer.get('url') or '-')
    for name, value in answer.get('headers', ()):
        print('header', text(name) + ':', text(value))


def talk(stream, doing):
    for word in doing.get('say', ()):
        data = Path(word[1:]).read_bytes() if word.startswith('@') else word
        stream.send_message(data)
        came = stream.receive_message()
        print('message', 'text' if isinstance(came, str) else 'binary', 'same' if came == data else 'other')
    stream.send_message('bye', fetchd.CLOSE, code=1000)
    while stream.receive_message() is not None:
        pass


def go(client, stream, doing):
    """One request to its end."""
    answer = stream.response()
    for hop in stream.hops:
        print_answer('hop', hop)
    print_answer('response', answer)
    if 'say' in doing:
        talk(stream, doing)
    if 'response' in doing.get('cancel', ()):
        stream.cancel()
    for url in doing.get('beside', ()):
        one(client, url, {}, {})
    with open(doing.get('out', ['/dev/null'])[0], 'wb') as out:
        while piece := stream.read():
            out.write(piece)


def follow(client, stream, doing):
    name = 'ok'
    try:
        go(client, stream, doing)
        done = stream.done
    except fetchd.FetchError as error:
        name, done = error.name, error.error
    print('done', name, done.get('attempts', 0), done.get('redirects', 0), done.get('body_bytes', 0), done.get('close_code', 0))


def one(client, url, fields, doing):
    stream = client.open(url, **fields)
    if 'early' in doing.get('cancel', ()):
        stream.cancel()
    follow(client, stream, doing)


def main(url, *words):
    fields, doing = options_of(words)
    count = int(doing.get('count', ['1'])[0])
    with fetchd.Client() as client:
        if count > 1:                                       # all are open before one is read
            streams = [client.open(url.replace('NUMBER', str(number)), **fields) for number in range(count)]
            for stream in streams if 'cancel' in doing else ():
                stream.response()
                stream.cancel()                             # and nobody reads it
                client.until(lambda: stream.done)
                print('done', stream.done['error']['name'], 1, 0, 0, 0)
            for stream in streams if 'cancel' not in doing else ():
                follow(client, stream, {})
        else:
            one(client, url, fields, doing)
        for url in doing.get('then', ()):
            one(client, url, {}, {})


if __name__ == '__main__':
    main(*sys.argv[1:])
