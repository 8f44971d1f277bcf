/* What people put into certificate settings that is something else, and the way out. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tls/parts.h"

static const struct {
    enum alien kind;
    const char *text;
} texts[] = {
    { ALIEN_CSR, "a certificate signing request" },
    { ALIEN_PUBLIC_KEY, "a public key" },
    { ALIEN_CRL, "a certificate revocation list" },
    { ALIEN_PKCS7, "a PKCS#7 certificate bundle" },
    { ALIEN_BCFKS, "a BouncyCastle keystore (BCFKS), which is not supported" },
    { ALIEN_BKS, "a BouncyCastle keystore (BKS), which is not supported" },
    { ALIEN_OPENSSH, "an OpenSSH private key" },
    { ALIEN_OPENSSH_ED25519, "an OpenSSH private key (Ed25519)" },
    { ALIEN_PGP, "an OpenPGP file" },
    { ALIEN_PARAMETERS, "a file of parameters" },
    { ALIEN_UTF16, "a text file in UTF-16" },
    { ALIEN_SECRET_KEY, "a secret key" },
};

const char *alien_text(enum alien a)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].kind == a)
            return texts[i].text;
    return "something unknown";
}

static char *keystore_hint(const char *path, const char *type)
{
    return mem_printf("convert it: keytool -importkeystore -srckeystore %s -srcstoretype %s "
                      "-destkeystore %s.p12 -deststoretype pkcs12 (with BouncyCastle's provider)",
                      path, type, path);
}

char *alien_hint(enum alien a, enum parts_use use, const char *path)
{
    switch (a) {
    case ALIEN_CSR:
        return mem_strdup("a CA signs it; name the certificate that comes back");
    case ALIEN_PUBLIC_KEY:
        return mem_strdup(use == PARTS_KEY_FILE ? "the private key is another file"
                                                : "name the certificate that holds this key");
    case ALIEN_CRL:
        return mem_strdup(use == PARTS_TRUST_FILE
                              ? "it goes into the setting `crl`; here, name the certificate of "
                                "the CA that issued it"
                              : "it goes into the setting `crl`, beside the `ca` it is of");
    case ALIEN_PKCS7:
        return mem_printf("convert it: openssl pkcs7 -in %s -print_certs -out %s.pem (with "
                          "-inform DER if it is not text)", path, path);
    case ALIEN_BCFKS:
        return keystore_hint(path, "BCFKS");
    case ALIEN_BKS:
        return keystore_hint(path, "BKS");
    case ALIEN_OPENSSH:
        return mem_printf("convert a copy: cp %s %s.pem && ssh-keygen -p -m PKCS8 -f %s.pem", path,
                          path, path);
    case ALIEN_OPENSSH_ED25519:
        return mem_strdup("ssh-keygen cannot convert this kind; make a new key (openssl genpkey "
                          "-algorithm ed25519 -out FILE) and have a certificate issued for it");
    case ALIEN_UTF16:
        return mem_printf("save it as plain text: iconv -f UTF-16 -t ASCII %s > %s.pem", path,
                          path);
    default:
        return NULL;
    }
}

/* "openssh-key-v1" NUL, then among others the public key, whose type comes first. */
static bool is_ed25519(const uint8_t *p, size_t len)
{
    static const char type[] = "\0\0\0\x0bssh-ed25519";

    return memmem(p, len, type, sizeof(type) - 1) != NULL;
}

enum alien alien_of_pem(const char *block, const uint8_t *der, size_t len)
{
    static const struct {
        const char *block;
        enum alien kind;
    } blocks[] = {
        { "CERTIFICATE REQUEST", ALIEN_CSR },
        { "NEW CERTIFICATE REQUEST", ALIEN_CSR },
        { "PUBLIC KEY", ALIEN_PUBLIC_KEY },
        { "RSA PUBLIC KEY", ALIEN_PUBLIC_KEY },
        { "X509 CRL", ALIEN_CRL },
        { "PKCS7", ALIEN_PKCS7 },
        { "CMS", ALIEN_PKCS7 },
        { "OPENSSH PRIVATE KEY", ALIEN_OPENSSH },
        { "PGP PUBLIC KEY BLOCK", ALIEN_PGP },
        { "PGP PRIVATE KEY BLOCK", ALIEN_PGP },
        { "PGP MESSAGE", ALIEN_PGP },
        { "EC PARAMETERS", ALIEN_PARAMETERS },
        { "DH PARAMETERS", ALIEN_PARAMETERS },
        { "X9.42 DH PARAMETERS", ALIEN_PARAMETERS },
        { "DSA PARAMETERS", ALIEN_PARAMETERS },
    };

    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
        if (strcmp(block, blocks[i].block) == 0)
            return blocks[i].kind == ALIEN_OPENSSH && is_ed25519(der, len) ? ALIEN_OPENSSH_ED25519
                                                                           : blocks[i].kind;
    return ALIEN_NONE;
}

enum alien alien_of_bytes(const uint8_t *p, size_t len)
{
    /* Version 1 or 2, and a salt of 20 bytes. */
    static const uint8_t bks[] = { 0, 0, 0, 0, 0, 0, 20 };

    if (len >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
        return ALIEN_UTF16;
    if (len >= 8 && memcmp(p, bks, 3) == 0 && (p[3] == 1 || p[3] == 2)
        && memcmp(p + 4, bks + 3, 4) == 0)
        return ALIEN_BKS;
    return ALIEN_NONE;
}
