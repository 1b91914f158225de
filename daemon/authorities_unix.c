/* Where distributions and systems keep their authorities in one file. */
#include "authorities.h"

#include <unistd.h>

/* The first that is there; the first of all to be named when none is. */
static const char *const files[] = {
    "/etc/ssl/certs/ca-certificates.crt",                  /* Debian, Ubuntu, Arch, Alpine, NixOS */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",   /* Fedora, RHEL and kin */
    "/etc/ssl/ca-bundle.pem",                              /* SUSE */
    "/etc/ssl/cert.pem",                                   /* macOS, FreeBSD, OpenBSD */
    "/etc/openssl/certs/ca-certificates.crt",              /* NetBSD */
};

const char *authorities_of_system(void)
{
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (access(files[i], R_OK) == 0)
            return files[i];
    return files[0];
}
