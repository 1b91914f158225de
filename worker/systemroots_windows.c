/* The stores ROOT and Disallowed, those of this user and of the machine together, by CryptoAPI. */
#include "systemroots.h"

#include <stdbool.h>
#include <windows.h>
/* After windows.h. */
#include <wincrypt.h>

#define USAGE_BYTES 4096   /* of a certificate's list of purposes */

static bool lists_servers(const CERT_ENHKEY_USAGE *usage)
{
    for (DWORD i = 0; i < usage->cUsageIdentifier; i++)
        if (lstrcmpA(usage->rgpszUsageIdentifier[i], szOID_PKIX_KP_SERVER_AUTH) == 0)
            return true;
    return false;
}

/* No list at all means every purpose, and then CRYPT_E_NOT_FOUND is what the last error says; an empty one
 * means none. */
static bool is_for_servers(const CERT_CONTEXT *root)
{
    union { CERT_ENHKEY_USAGE usage; BYTE bytes[USAGE_BYTES]; } list;
    DWORD size = sizeof list;
    if (!CertGetEnhancedKeyUsage(root, 0, &list.usage, &size))
        return GetLastError() == (DWORD)CRYPT_E_NOT_FOUND;
    if (list.usage.cUsageIdentifier == 0)
        return GetLastError() == (DWORD)CRYPT_E_NOT_FOUND;
    return lists_servers(&list.usage);
}

static bool is_listed(HCERTSTORE store_or_null, const CERT_CONTEXT *root)
{
    if (!store_or_null)
        return false;
    const CERT_CONTEXT *found = CertFindCertificateInStore(store_or_null, X509_ASN_ENCODING, 0, CERT_FIND_EXISTING,
                                                           root, NULL);
    if (found)
        CertFreeCertificateContext(found);
    return found;
}

void systemroots_each(void (*take)(void *context, const uint8_t *der, size_t length), void *context)
{
    HCERTSTORE roots = CertOpenSystemStoreW(0, L"ROOT"), disallowed = CertOpenSystemStoreW(0, L"Disallowed");
    const CERT_CONTEXT *root = NULL;
    while (roots && (root = CertEnumCertificatesInStore(roots, root)))
        if (root->dwCertEncodingType == X509_ASN_ENCODING && is_for_servers(root) && !is_listed(disallowed, root))
            take(context, root->pbCertEncoded, root->cbCertEncoded);
    if (disallowed)
        CertCloseStore(disallowed, 0);
    if (roots)
        CertCloseStore(roots, 0);
}
