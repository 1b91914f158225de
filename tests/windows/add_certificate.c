/* add_certificate STORE FILE: puts the certificate of a PEM file into a store of this user (ROOT, Disallowed). Windows
 * itself would ask the person at the screen; Wine does not. */
#include <stdio.h>
#include <windows.h>
/* After windows.h. */
#include <wincrypt.h>

static int complain(const char *what)
{
    fprintf(stderr, "%s: error %lu\n", what, (unsigned long)GetLastError());
    return 1;
}

int main(int argc, char **argv)
{
    static char pem[65536];
    static BYTE der[65536];
    DWORD length = sizeof der;
    FILE *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
    size_t read = file ? fread(pem, 1, sizeof pem, file) : 0;
    if (!CryptStringToBinaryA(pem, (DWORD)read, CRYPT_STRING_BASE64HEADER, der, &length, NULL, NULL))
        return complain("no certificate");
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_SYSTEM_A, 0, 0, CERT_SYSTEM_STORE_CURRENT_USER, argv[1]);
    if (!store || !CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, der, length,
                                                    CERT_STORE_ADD_REPLACE_EXISTING, NULL))
        return complain("not added");
    return CertCloseStore(store, 0) ? 0 : complain("not kept");
}
