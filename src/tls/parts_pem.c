/* PEM: blocks in any order with any text around them (RFC 7468, RFC 1421). */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "tls/parts.h"
#include "tls/sslerr.h"

struct reader {
    struct parts *out;
    const uint8_t *p;           /* the whole text */
    size_t len;
    size_t begin;               /* offset of the block that is being read */
    const char *password;
    struct diags *d;
    int rc;
};

static size_t line_of(const struct reader *r, size_t offset)
{
    size_t line = 1;

    for (size_t i = 0; i < offset && i < r->len; i++)
        line += r->p[i] == '\n';
    return line;
}

static bool at_line_start(const struct reader *r, size_t offset)
{
    return offset == 0 || r->p[offset - 1] == '\n' || r->p[offset - 1] == '\r';
}

/* From `from` on, where the next block begins; r->len if there is none. */
static size_t next_begin(const struct reader *r, size_t from)
{
    while (from < r->len) {
        const uint8_t *hit = memmem(r->p + from, r->len - from, "-----BEGIN ", 11);
        if (hit == NULL)
            break;
        size_t offset = (size_t)(hit - r->p);
        if (at_line_start(r, offset))
            return offset;
        from = offset + 1;
    }
    return r->len;
}

/* OpenSSL passes over a BEGIN line that it does not like; then a later block came. */
static bool begins_with(const struct reader *r, const char *name)
{
    size_t at = r->begin + 11, n = strlen(name);

    return at + n + 5 <= r->len && memcmp(r->p + at, name, n) == 0
        && memcmp(r->p + at + n, "-----", 5) == 0;
}

static void damaged(struct reader *r, const char *what, const char *why, const char *hint)
{
    diag_add(r->d, DIAG_ERROR, r->out->in->where, hint, "%s: the %s at line %zu is damaged: %s",
             r->out->in->path, what, line_of(r, r->begin), why);
    r->rc = -1;
}

static void add_cert(struct reader *r, const uint8_t *der, long len, bool trusted)
{
    const uint8_t *p = der;
    char why[128];
    X509 *x;

    sslerr_clear();
    x = trusted ? d2i_X509_AUX(NULL, &p, len) : d2i_X509(NULL, &p, len);
    if (x == NULL)
        damaged(r, "certificate", sslerr_text(why, sizeof(why)), "make a new copy of it");
    else
        parts_add_cert(r->out, x, trusted);
}

static void add_crl(struct reader *r, const uint8_t *der, long len)
{
    const uint8_t *p = der;
    char why[128];
    X509_CRL *crl;

    sslerr_clear();
    crl = d2i_X509_CRL(NULL, &p, len);
    if (crl == NULL)
        damaged(r, "CRL", sslerr_text(why, sizeof(why)), "make a new copy of it");
    else
        parts_add_crl(r->out, crl);
}

static bool key_form(const char *block, enum key_form *form)
{
    static const struct {
        const char *block;
        enum key_form form;
    } forms[] = {
        { "PRIVATE KEY", KEY_PKCS8 },   { "ENCRYPTED PRIVATE KEY", KEY_PKCS8_ENCRYPTED },
        { "RSA PRIVATE KEY", KEY_RSA }, { "EC PRIVATE KEY", KEY_EC },
        { "DSA PRIVATE KEY", KEY_DSA },
    };

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (strcmp(block, forms[i].block) == 0) {
            *form = forms[i].form;
            return true;
        }
    }
    return false;
}

static void block(struct reader *r, const char *name, char *header, uint8_t *data, long len)
{
    enum key_form form;
    enum alien kind;

    if (strcmp(name, "CERTIFICATE") == 0 || strcmp(name, "X509 CERTIFICATE") == 0) {
        add_cert(r, data, len, false);
    } else if (strcmp(name, "TRUSTED CERTIFICATE") == 0) {
        add_cert(r, data, len, true);
    } else if (key_form(name, &form)) {
        if (parts_add_key(r->out, form, header, data, (size_t)len, line_of(r, r->begin),
                          r->password, r->d) != 0)
            r->rc = -1;
    } else if ((kind = alien_of_pem(name, data, (size_t)len)) != ALIEN_CRL
               || !parts_wants_crls(r->out)) {
        parts_add_alien(r->out, kind, data, (size_t)len);
    } else {
        add_crl(r, data, len);
        if (r->out->use == PARTS_TRUST_FILE)
            r->out->alien = ALIEN_CRL;
    }
}

/* What OpenSSL's reader ran into, in words for who has the file open in an editor. */
static void unreadable(struct reader *r)
{
    static const char joined[] = "----------BEGIN ";
    const uint8_t *hit = r->begin < r->len ? memmem(r->p + r->begin, r->len - r->begin, joined,
                                                    sizeof(joined) - 1) : NULL;
    char why[128];

    if (hit != NULL && (size_t)(hit - r->p) < next_begin(r, r->begin + 1)) {
        r->begin = (size_t)(hit - r->p);
        damaged(r, "block", "it begins in the middle of a line",
                "put a line break before its -----BEGIN");
    } else if (sslerr_last_is(ERR_LIB_PEM, PEM_R_NO_START_LINE)) {
        damaged(r, "block", "its BEGIN line is not as it should be", "make a new copy of the file");
    } else {
        damaged(r, "block", sslerr_text(why, sizeof(why)), "make a new copy of the file");
    }
}

static void nothing_read(struct reader *r)
{
    const uint8_t *hit = memmem(r->p, r->len, "-----BEGIN", 10);

    r->begin = hit != NULL ? (size_t)(hit - r->p) : 0;
    damaged(r, "block", "its BEGIN line does not start at the beginning of a line",
            "remove what stands before it, blanks too");
}

static bool next_block(struct reader *r, BIO *b)
{
    char *name = NULL, *header = NULL;
    uint8_t *data = NULL;
    long n = 0;

    r->begin = next_begin(r, r->len - (size_t)BIO_pending(b));
    sslerr_clear();
    /* "Secure": what it held of a key on the way is wiped. */
    if (!PEM_read_bio_ex(b, &name, &header, &data, &n,
                         PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE)) {
        if (r->begin < r->len)
            unreadable(r);
        return false;
    }
    if (begins_with(r, name))
        block(r, name, header, data, n);
    else
        damaged(r, "block", "its BEGIN line is not as it should be", "make a new copy of the file");
    OPENSSL_secure_free(name);
    OPENSSL_secure_free(header);
    OPENSSL_secure_clear_free(data, (size_t)n);
    return r->rc == 0;
}

int parts_pem(struct parts *out, const uint8_t *p, size_t len, const struct passwords *pw,
              struct diags *d)
{
    struct reader r = { .out = out, .p = p, .len = len, .password = key_password(pw), .d = d };
    BIO *b = BIO_new_mem_buf(p, (int)len);
    size_t blocks = 0;

    while (b != NULL && next_block(&r, b))
        blocks++;
    if (r.rc == 0 && blocks == 0)
        nothing_read(&r);
    BIO_free(b);
    sslerr_clear();
    return r.rc;
}
