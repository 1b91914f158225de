"""A certificate authority made for one test run, and the good and bad certificates it signs."""
import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOCAL = ('localhost', '127.0.0.1', '::1')
DAY = datetime.timedelta(days=1)


def subject(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def general_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def write_private(path, data):
    path.touch(mode=0o600)
    path.write_bytes(data)
    return path


class Pair:
    """A certificate and its key, as PEM files."""

    def __init__(self, folder, name, certificate, key):
        self.certificate, self.key = certificate, key
        self.cert_path = folder / (name + '.pem')
        self.key_path = folder / (name + '.key')
        self.cert_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_private(self.key_path, key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


class Authority(Pair):
    """A CA in `folder`; `cert_path` is the file to trust."""

    def __init__(self, folder, name='fetchd test CA'):
        self.folder = Path(folder)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self.builder(name, key, -DAY, 30 * DAY, subject(name))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(x509.KeyUsage(
            digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False),
            critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        super().__init__(self.folder, name.replace(' ', '-'), builder.sign(key, hashes.SHA256()), key)

    @staticmethod
    def builder(name, key, since, until, issuer):
        now = datetime.datetime.utcnow()
        return (x509.CertificateBuilder().subject_name(subject(name)).issuer_name(issuer)
                .public_key(key.public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now + since).not_valid_after(now + until))

    def leaf(self, name, names=LOCAL, since=-DAY, until=30 * DAY, self_signed=False):
        """A server certificate for `names`, signed by this CA or, if asked, by itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = subject(name) if self_signed else self.certificate.subject
        builder = self.builder(name, key, since, until, issuer)
        builder = builder.add_extension(x509.SubjectAlternativeName([general_name(n) for n in names]), False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(
            [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        return Pair(self.folder, name, builder.sign(key if self_signed else self.key, hashes.SHA256()), key)

    def expired(self):
        return self.leaf('expired', since=-30 * DAY, until=-DAY)

    def wrong_name(self):
        return self.leaf('wrong-name', names=('elsewhere.example',))

    def self_signed(self):
        return self.leaf('self-signed', self_signed=True)
