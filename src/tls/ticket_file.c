#include "tls/ticket_file.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tls/digest.h"

#define KEY_MIN 32              /* bytes */
#define KEY_TEXT_MAX 1024           /* characters of a key: more than anybody makes */
#define MAKE_ONE "openssl rand -base64 48 makes one"

struct reading {
    const struct tls_input *in;
    struct ticket_secrets *out;
    struct diags *d;
    unsigned line, lines[TICKET_SECRETS_MAX];   /* this one, and where the keys were */
};

static void refuse(const struct reading *r, const char *hint, const char *what)
{
    diag_add(r->d, DIAG_ERROR, r->in->where, hint, "%s: line %u: %s", r->in->path, r->line,
             what);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Bytes, or -1. Base64 of random bytes is practically never all hex digits. */
static int from_hex(struct span s, uint8_t *out)
{
    if (s.len % 2 != 0)
        return -1;
    for (size_t i = 0; i < s.len; i++) {
        int digit = hex_digit(s.p[i]);
        if (digit < 0)
            return -1;
        out[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }
    return (int)s.len / 2;
}

static int from_base64(struct span s, uint8_t *out)
{
    size_t padding = 0;

    while (padding < 2 && padding < s.len && s.p[s.len - 1 - padding] == '=')
        padding++;
    /* The decoder takes padding anywhere, and counts it as bytes. */
    if (s.len % 4 != 0 || memchr(s.p, '=', s.len - padding) != NULL)
        return -1;

    int n = EVP_DecodeBlock(out, (const unsigned char *)s.p, (int)s.len);
    return n >= (int)padding ? n - (int)padding : -1;
}

static void keep(struct reading *r, const uint8_t *key, size_t len)
{
    uint8_t secret[TICKET_SECRET_LEN];
    struct ticket_secrets *out = r->out;

    digest_ders(&(struct der){ (uint8_t *)(uintptr_t)key, len }, 1, secret);
    for (size_t i = 0; i < out->n; i++) {
        if (memcmp(out->v + i * TICKET_SECRET_LEN, secret, sizeof(secret)) != 0)
            continue;
        diag_add(r->d, DIAG_WARNING, r->in->where, NULL, "%s: line %u: the key of line %u again",
                 r->in->path, r->line, r->lines[i]);
        goto done;
    }
    if (out->n == TICKET_SECRETS_MAX) {
        refuse(r, "leave out the last ones: tickets live for an hour", "more than 8 keys");
        goto done;
    }
    memcpy(out->v + out->n * TICKET_SECRET_LEN, secret, sizeof(secret));
    r->lines[out->n++] = r->line;
done:
    OPENSSL_cleanse(secret, sizeof(secret));
}

static void read_line(struct reading *r, struct span s)
{
    const char *comment = memchr(s.p, '#', s.len);
    uint8_t key[KEY_TEXT_MAX];

    if (comment != NULL)
        s.len = (size_t)(comment - s.p);
    s = str_trim(s);
    if (s.len == 0)
        return;

    int n = s.len <= KEY_TEXT_MAX ? from_hex(s, key) : -1;
    if (n < 0 && s.len <= KEY_TEXT_MAX)
        n = from_base64(s, key);
    if (n < 0)
        refuse(r, MAKE_ONE, "neither base64 nor hex");
    else if (n < KEY_MIN)
        refuse(r, MAKE_ONE, "a key of less than 32 bytes");
    else
        keep(r, key, (size_t)n);
    OPENSSL_cleanse(key, sizeof(key));
}

static void warn_exposed(const struct reading *r)
{
    char *hint = mem_printf("chmod o-rwx %s", r->in->path);

    diag_add(r->d, DIAG_WARNING, r->in->where, hint,
             "%s: everybody on this machine can read the ticket keys (mode %04o)", r->in->path,
             r->in->mode);
    free(hint);
}

int ticket_file_read(const struct tls_input *in, struct ticket_secrets *out, struct diags *d)
{
    struct reading r = { .in = in, .out = out, .d = d };
    struct span rest = { (const char *)in->data, in->len }, line;
    size_t before = d->errors;

    *out = (struct ticket_secrets){ 0 };
    for (; str_next(&rest, '\n', &line); ) {
        r.line++;
        read_line(&r, line);
        if (d->errors > before)
            return -1;          /* of a file that is something else, not one for each line */
    }
    if (out->n == 0) {
        diag_add(d, DIAG_ERROR, in->where, MAKE_ONE, "%s: no key in it", in->path);
        return -1;
    }
    if (in->exposed)
        warn_exposed(&r);
    return 0;
}
