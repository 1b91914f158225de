"""Makes a manual page: page.py SCDOC TEMPLATE OUTPUT [GENERATOR...]

@NAME@ in the template is replaced by what `GENERATOR... NAME` prints, so that what the sources know (options,
settings, declarations, the protocol) is written once.
"""
import re
import subprocess
import sys


def main(scdoc, template, output, *generator):
    def generated(match):
        return subprocess.run([*generator, match.group(1)], stdout=subprocess.PIPE, check=True, text=True,
                              encoding='utf-8').stdout.rstrip('\n')
    with open(template, encoding='utf-8') as file:
        text = re.sub(r'@(\w+)@', generated, file.read())
    page = subprocess.run([scdoc], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    with open(output, 'wb') as file:
        file.write(page)


if __name__ == '__main__':
    main(*sys.argv[1:])
