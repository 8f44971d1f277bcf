#include "keystores.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "certs.h"
#include "tls/keypair.h"

struct tls_input keystore(const char *name)
{
    char *path = mem_printf("%s/tests/unit/tls/data/%s", TOP_SRCDIR, name);
    FILE *f = fopen(path, "rb");
    uint8_t bytes[8192];

    cr_assert_not_null(f, "%s", path);
    size_t n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    free(path);
    cr_assert(n > 0 && n < sizeof(bytes));
    return (struct tls_input){
        .path = mem_printf("/k/%s", name), .data = mem_dup(bytes, n), .len = n,
        .where = { .section = "store node", .key = "cert" },
    };
}

void keystore_free(struct tls_input *in)
{
    free((void *)(uintptr_t)in->path);
    free((void *)(uintptr_t)in->data);
}

struct loaded load_as_store(const struct tls_input *in, struct how how)
{
    struct store_input s = {
        .certs = in, .ncerts = 1, .alias = how.alias, .pw = { .store = how.store, .key = how.key },
        .alias_at = { .section = "store node", .key = "alias", .value = how.alias },
    };
    struct loaded l = { 0 };

    l.rc = load_store(&s, &l.k, &l.d);
    cr_assert_eq(l.rc == 0, l.d.errors == 0);
    return l;
}

struct loaded load_as_trust(const struct tls_input *in, const char *password)
{
    struct passwords pw = { .store = password };
    struct loaded l = { 0 };

    l.rc = load_trust(in, &pw, &l.t, &l.d);
    cr_assert_eq(l.rc == 0, l.d.errors == 0);
    return l;
}

void loaded_free(struct loaded *l)
{
    keymats_free(&l->k);
    ders_free(&l->t);
    diags_free(&l->d);
}

static void names_are(const struct fact *v, size_t n, const char *expected)
{
    char *all = mem_strdup("");

    for (size_t i = 0; i < n; i++) {
        char *more = mem_printf("%s%s%s/%s", all, i > 0 ? " " : "", v[i].name,
                                v[i].alias != NULL ? v[i].alias : "-");
        free(all);
        all = more;
    }
    cr_expect_str_eq(all, expected);
    free(all);
}

void serves(const char *name, struct how how, const char *chain)
{
    struct tls_input in = keystore(name);
    struct loaded l = load_as_store(&in, how);
    struct err e = ERR_INIT;

    diags_print(&l.d, stderr);
    cr_assert_eq(l.d.n, 0, "%s", name);
    cr_assert_eq(l.k.n, 1, "%s", name);
    names_are(l.k.v[0].facts, l.k.v[0].nchain, chain);
    struct keypair *pair = keypair_new(NULL, l.k.v[0].key.p, l.k.v[0].key.len, l.k.v[0].chain,
                                       l.k.v[0].nchain, &e);
    cr_expect_not_null(pair, "%s: %s", name, e.text);
    keypair_free(pair);
    loaded_free(&l);
    keystore_free(&in);
}

static void one_error(const char *name, struct loaded *l, const char *text)
{
    diags_print(&l->d, stderr);
    cr_expect_eq(l->rc, -1, "%s", name);
    cr_expect_eq(l->d.errors, 1, "%s", name);
    cr_expect(found(&l->d, DIAG_ERROR, text), "%s: %s", name, text);
    loaded_free(l);
}

void refuses_store(const char *name, struct how how, const char *text)
{
    struct tls_input in = keystore(name);
    struct loaded l = load_as_store(&in, how);

    one_error(name, &l, text);
    keystore_free(&in);
}

void refuses_trust(const char *name, const char *password, const char *text)
{
    struct tls_input in = keystore(name);
    struct loaded l = load_as_trust(&in, password);

    one_error(name, &l, text);
    keystore_free(&in);
}

void believes(const char *name, const char *password, const char *anchors, const char *warning)
{
    struct tls_input in = keystore(name);
    struct loaded l = load_as_trust(&in, password);

    diags_print(&l.d, stderr);
    cr_assert_eq(l.rc, 0, "%s", name);
    cr_expect_eq(l.d.n, warning != NULL, "%s", name);
    if (warning != NULL)
        cr_expect(found(&l.d, DIAG_WARNING, warning), "%s: %s", name, warning);
    names_are(l.t.facts, l.t.n, anchors);
    loaded_free(&l);
    keystore_free(&in);
}

void put_digest(uint8_t *p, size_t len, const char *ascii_password)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    EVP_DigestInit_ex(ctx, EVP_sha1(), NULL);
    for (const char *c = ascii_password; *c != '\0'; c++) {
        EVP_DigestUpdate(ctx, "", 1);
        EVP_DigestUpdate(ctx, c, 1);
    }
    EVP_DigestUpdate(ctx, "Mighty Aphrodite", 16);
    EVP_DigestUpdate(ctx, p, len - 20);
    EVP_DigestFinal_ex(ctx, p + len - 20, NULL);
    EVP_MD_CTX_free(ctx);
}

/* Numbers without rhyme, the same in each run. */
static unsigned next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33);
}

uint8_t *damaged_copy(const uint8_t *p, size_t *len, unsigned n)
{
    static const uint8_t telling[] = { 0, 1, 0x7f, 0x80, 0xff, 0x30, 0x04, 0x02 };
    uint64_t state = n;
    size_t old = *len, at, room = old + 64;
    uint8_t *out = mem_zalloc(room);

    for (int i = 0; i < 8; i++)
        next(&state);
    at = next(&state) % old;
    memcpy(out, p, old);
    switch (n % 5) {
    case 0:                     /* a bit */
        out[at] ^= (uint8_t)(1u << (next(&state) % 8));
        break;
    case 1:                     /* a byte that means something */
        out[at] = telling[next(&state) % sizeof(telling)];
        break;
    case 2:                     /* the end */
        *len = at;
        break;
    case 3:                     /* bytes that were not there */
        memmove(out + at + 16, out + at, old - at);
        *len = old + 16;
        break;
    default:                    /* a length, most likely */
        at = at < old - 4 ? at : old - 4;
        memset(out + at, next(&state) % 2 ? 0xff : 0, 4);
        break;
    }
    uint8_t *exact = *len > 0 ? mem_dup(out, *len) : mem_zalloc(1);
    free(out);
    return exact;
}
