/*
 * PKCS#12 (RFC 7292): safes, encrypted or not, of bags, which hold certificates, keys
 * or more bags. PKCS12_parse() would give one key and no names, so they are walked
 * here, each once; the keys are opened when all are known.
 */
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/jks.h"
#include "tls/parts.h"
#include "tls/sslerr.h"

#define BAGS_MAX  JKS_ENTRIES_MAX
#define DEPTH_MAX 8             /* of bags in bags */

/* Java's mark of a certificate that is an entry of its own. */
#define TRUSTED_ATTRIBUTE "2.16.840.1.113894.746875.1.1"

/* No password and an empty one are two things in PKCS#12, and people cannot tell. */
struct password {
    const char *p;
    int len;
};

struct sealed_key {
    const PKCS12_SAFEBAG *bag;
    const ASN1_OCTET_STRING *id;    /* localKeyID, or NULL */
};

struct reader {
    struct parts *out;
    const struct passwords *pw;
    struct diags *d;
    struct password tries[2];   /* for the store and its safes */
    size_t ntries;
    bool checked;               /* a MAC was there, and fitted */
    bool refused;               /* it was told that the password is wrong, or missing */
    struct passwords rest;      /* what is left of pw when the keystore's is wrong */
    STACK_OF(PKCS12_SAFEBAG) **safes;   /* what the bags are in */
    size_t nsafes;
    size_t nbags;
    struct sealed_key *keys;    /* of each of the parts */
    const ASN1_OCTET_STRING **ids;      /* of each certificate, or NULL */
    int64_t rounds;             /* left to be spent */
    struct pbe_legacy legacy;
    size_t unnamed;             /* keys without a name so far */
};

static struct password password_of(const char *text)
{
    return (struct password){ text, text != NULL ? (int)strlen(text) : 0 };
}

static void choose_tries(struct reader *r)
{
    r->ntries = 1;
    r->tries[0] = password_of(r->pw->store);
    if (r->tries[0].len > 0)
        return;
    r->tries[0] = password_of(NULL);
    r->tries[1] = password_of("");
    r->ntries = 2;
}

/* Once; to be shown, the rest is read on as far as it needs no password. */
static int refuse_password(struct reader *r)
{
    if (r->refused)
        return -1;
    r->refused = true;
    if (r->pw->store == NULL)
        return parts_needs_password(r->out, r->d);
    parts_wrong_password(r->out, r->pw, r->d);
    if (r->out->use == PARTS_SHOW) {
        r->rest = (struct passwords){ .key = r->pw->key, .decoder = r->pw->decoder };
        r->pw = &r->rest;
        choose_tries(r);
    }
    return -1;
}

/* --- the MAC over all safes --- */

static enum key_opened judge_mac(struct reader *r, const PKCS12 *p12)
{
    const ASN1_INTEGER *rounds;
    const X509_ALGOR *how;

    PKCS12_get0_mac(NULL, &how, NULL, &rounds, p12);
    if (OBJ_obj2nid(how->algorithm) == NID_pbmac1)
        return pbe_judge(how, &r->rounds);
    return pbe_judge_rounds(rounds, &r->rounds);
}

static int refuse_mac(struct reader *r, const PKCS12 *p12)
{
    const X509_ALGOR *how;
    char name[PBE_TEXT_MAX], why[128], *all;

    PKCS12_get0_mac(NULL, &how, NULL, NULL, p12);
    all = mem_printf("its integrity check (%s) cannot be made: %s", pbe_text(how, name),
                     sslerr_text(why, sizeof(why)));
    parts_damaged(r->out, all, r->d);
    free(all);
    return -1;
}

static int check_mac(struct reader *r, PKCS12 *p12)
{
    enum key_opened judged;

    if (!PKCS12_mac_present(p12))
        return 0;
    judged = judge_mac(r, p12);
    if (judged == KEY_TOO_SLOW)
        return parts_damaged(r->out, "its integrity check takes more rounds than are allowed",
                             r->d);
    if (judged != KEY_OPEN)
        return refuse_mac(r, p12);

    for (size_t i = 0; i < r->ntries; i++) {
        sslerr_clear();
        if (PKCS12_verify_mac(p12, r->tries[i].p, r->tries[i].len)) {
            r->tries[0] = r->tries[i];
            r->ntries = 1;
            r->checked = true;
            return 0;
        }
        if (ERR_peek_error() != 0 && !sslerr_last_is(ERR_LIB_PKCS12, PKCS12_R_MAC_VERIFY_FAILURE))
            return refuse_mac(r, p12);
    }
    bool can_do_without = r->out->use == PARTS_TRUST_FILE || r->out->use == PARTS_SHOW;
    if (r->pw->store != NULL || !can_do_without)
        return refuse_password(r);
    return 0;                   /* what is not encrypted can be read as it is */
}

/* --- decryption: with OpenSSL as it is, else with its old algorithms too --- */

typedef void *decrypt_fn(const void *what, struct password pw, OSSL_LIB_CTX *ctx);

static void *decrypt_safe(const void *what, struct password pw, OSSL_LIB_CTX *ctx)
{
    const PKCS7_ENC_CONTENT *enc = what;

    return PKCS12_item_decrypt_d2i_ex(enc->algorithm, ASN1_ITEM_rptr(PKCS12_SAFEBAGS), pw.p,
                                      pw.len, enc->enc_data, 1, ctx, NULL);
}

static void *decrypt_key(const void *what, struct password pw, OSSL_LIB_CTX *ctx)
{
    return PKCS8_decrypt_ex(what, pw.p, pw.len, ctx, NULL);
}

struct attempt {
    decrypt_fn *fn;
    const void *what;
    const struct password *v;   /* to be tried, n of them */
    size_t n;
    void *out;                  /* what was inside, or NULL */
    size_t used;                /* the password that opened it */
};

static enum key_opened try_passwords(struct attempt *a, OSSL_LIB_CTX *ctx)
{
    for (size_t i = 0; i < a->n; i++) {
        sslerr_clear();
        a->out = a->fn(a->what, a->v[i], ctx);
        a->used = i;
        if (a->out != NULL)
            return KEY_OPEN;
        if (sslerr_take_unsupported())
            return KEY_UNSUPPORTED;
    }
    return KEY_WRONG_PASSWORD;
}

static enum key_opened decrypt(struct reader *r, const X509_ALGOR *how, struct attempt *a)
{
    enum key_opened result = pbe_judge(how, &r->rounds);
    OSSL_LIB_CTX *old;

    if (result != KEY_OPEN)
        return result;
    result = try_passwords(a, NULL);
    if (result == KEY_UNSUPPORTED && (old = pbe_legacy(&r->legacy)) != NULL)
        result = try_passwords(a, old);
    return result;
}

/* An algorithm that even the provider of old ones would have: it is not there. */
static bool lacks_legacy(struct reader *r)
{
    return r->legacy.ctx != NULL && pbe_legacy(&r->legacy) == NULL;
}

static int refuse_legacy(struct reader *r, const char *how)
{
    char *hint = mem_printf(
        "install OpenSSL's legacy provider (Debian: openssl-provider-legacy, or OPENSSL_MODULES "
        "names its folder), or encrypt it anew: keytool -importkeystore -srckeystore %s "
        "-destkeystore NEW.p12 -deststoretype pkcs12", r->out->in->path);

    diag_add(r->d, DIAG_ERROR, r->out->in->where, hint,
             "%s is encrypted with %s, and OpenSSL's legacy provider, which knows it, cannot be "
             "loaded", r->out->in->path, how);
    free(hint);
    return -1;
}

static int refuse_safe(struct reader *r, enum key_opened why, const char *how)
{
    if (why == KEY_UNSUPPORTED && lacks_legacy(r))
        return refuse_legacy(r, how);
    if (why == KEY_UNSUPPORTED) {
        diag_add(r->d, DIAG_ERROR, r->out->in->where, NULL,
                 "%s is encrypted with %s, which is not supported", r->out->in->path, how);
        return -1;
    }
    if (why == KEY_TOO_SLOW)
        return parts_damaged(r->out, "its encryption takes more rounds than are allowed", r->d);
    if (why == KEY_DAMAGED || r->checked)
        return parts_damaged(r->out, "a part of it cannot be decrypted", r->d);
    return refuse_password(r);
}

/* --- bags --- */

static char *name_of(PKCS12_SAFEBAG *bag)
{
    char *text = PKCS12_get_friendlyname(bag);
    char *alias = text != NULL ? parts_alias(text, strlen(text)) : NULL;

    OPENSSL_free(text);
    return alias;
}

static const ASN1_OCTET_STRING *id_of(const PKCS12_SAFEBAG *bag)
{
    const ASN1_TYPE *id = PKCS12_SAFEBAG_get0_attr(bag, NID_localKeyID);

    return id != NULL && id->type == V_ASN1_OCTET_STRING ? id->value.octet_string : NULL;
}

static bool is_trusted(const PKCS12_SAFEBAG *bag)
{
    const STACK_OF(X509_ATTRIBUTE) *v = PKCS12_SAFEBAG_get0_attrs(bag);
    char oid[sizeof(TRUSTED_ATTRIBUTE) + 1];

    for (int i = 0; i < sk_X509_ATTRIBUTE_num(v); i++) {
        X509_ATTRIBUTE *a = sk_X509_ATTRIBUTE_value(v, i);
        OBJ_obj2txt(oid, sizeof(oid), X509_ATTRIBUTE_get0_object(a), 1);
        if (strcmp(oid, TRUSTED_ATTRIBUTE) == 0)
            return true;
    }
    return false;
}

static int add_cert(struct reader *r, PKCS12_SAFEBAG *bag)
{
    size_t n = r->out->ncerts;
    char why[128], *all;
    X509 *x;

    if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
        return 0;               /* an SDSI certificate, which nobody ever made */
    sslerr_clear();
    x = PKCS12_SAFEBAG_get1_cert(bag);
    if (x == NULL) {
        all = mem_printf("certificate %zu cannot be read: %s", n + 1,
                         sslerr_text(why, sizeof(why)));
        parts_damaged(r->out, all, r->d);
        free(all);
        return -1;
    }
    r->ids = mem_grow(r->ids, n + 1, sizeof(r->ids[0]));
    r->ids[n] = id_of(bag);
    parts_add_entry_cert(r->out, x, name_of(bag), is_trusted(bag), ENTRY_NONE);
    return 0;
}

/* Java calls a key without a name by its number among these; so that it can be meant. */
static void add_key(struct reader *r, PKCS12_SAFEBAG *bag)
{
    size_t n = r->out->nkeys;
    char *alias = name_of(bag);

    if (alias == NULL)
        alias = mem_printf("%zu", ++r->unnamed);
    r->keys = mem_grow(r->keys, n + 1, sizeof(r->keys[0]));
    r->keys[n] = (struct sealed_key){ bag, id_of(bag) };
    parts_add_entry_key(r->out, alias);
}

static int add_bags(struct reader *r, const STACK_OF(PKCS12_SAFEBAG) *bags, unsigned depth);

static int add_bag(struct reader *r, PKCS12_SAFEBAG *bag, unsigned depth)
{
    if (++r->nbags > BAGS_MAX)
        return parts_damaged(r->out, "it has more entries than are read", r->d);
    switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_certBag:
        return add_cert(r, bag);
    case NID_keyBag:
    case NID_pkcs8ShroudedKeyBag:
        add_key(r, bag);
        return 0;
    case NID_safeContentsBag:
        if (depth == DEPTH_MAX)
            return parts_damaged(r->out, "its bags are nested too deep", r->d);
        return add_bags(r, PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
    case NID_secretBag:
        parts_add_entry_secret(r->out, name_of(bag));
        return 0;
    default:
        return 0;               /* a CRL, which means nothing here */
    }
}

static int add_bags(struct reader *r, const STACK_OF(PKCS12_SAFEBAG) *bags, unsigned depth)
{
    for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); i++)
        if (add_bag(r, sk_PKCS12_SAFEBAG_value(bags, i), depth) != 0)
            return -1;
    return 0;
}

/* --- safes --- */

static int open_safe(struct reader *r, PKCS7 *safe, STACK_OF(PKCS12_SAFEBAG) **bags)
{
    const PKCS7_ENC_CONTENT *enc;
    char how[PBE_TEXT_MAX];
    enum key_opened why;

    sslerr_clear();
    *bags = NULL;
    if (PKCS7_type_is_data(safe)) {
        *bags = PKCS12_unpack_p7data(safe);
        return *bags != NULL ? 0 : parts_damaged(r->out, "one of its parts cannot be read", r->d);
    }
    if (!PKCS7_type_is_encrypted(safe))
        return parts_damaged(r->out, "one of its parts is locked by a public key, which is not "
                             "supported", r->d);
    enc = safe->d.encrypted != NULL ? safe->d.encrypted->enc_data : NULL;
    if (enc == NULL || enc->algorithm == NULL || enc->enc_data == NULL)
        return parts_damaged(r->out, "one of its parts is empty", r->d);
    struct attempt a = { .fn = decrypt_safe, .what = enc, .v = r->tries, .n = r->ntries };
    why = decrypt(r, enc->algorithm, &a);
    *bags = a.out;
    return why == KEY_OPEN ? 0 : refuse_safe(r, why, pbe_text(enc->algorithm, how));
}

/* Whether there is a point in reading on: not once anything is wrong, but to show what is
   there. */
static bool goes_on(const struct reader *r, int rc)
{
    return rc == 0 || r->out->use == PARTS_SHOW;
}

static int add_safes(struct reader *r, const PKCS12 *p12)
{
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(p12);
    char why[128];
    int rc = 0;

    if (safes == NULL)
        return parts_damaged(r->out, sslerr_text(why, sizeof(why)), r->d);
    for (int i = 0; i < sk_PKCS7_num(safes) && goes_on(r, rc); i++) {
        STACK_OF(PKCS12_SAFEBAG) *bags;
        if (open_safe(r, sk_PKCS7_value(safes, i), &bags) != 0) {
            rc = -1;
            continue;
        }
        r->safes = mem_grow(r->safes, r->nsafes + 1, sizeof(r->safes[0]));
        r->safes[r->nsafes++] = bags;
        if (add_bags(r, bags, 0) != 0)
            rc = -1;
    }
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return rc;
}

/* Which certificate is a key's, by what ties them together; the rest, if Java did not
   mark it as an entry of its own, is then the chain. */
static void place_certs(struct reader *r)
{
    bool any = false;

    for (size_t i = 0; i < r->out->ncerts; i++) {
        struct part_cert *c = &r->out->certs[i];
        for (size_t k = 0; k < r->out->nkeys && c->place == ENTRY_NONE; k++) {
            const ASN1_OCTET_STRING *id = r->keys[k].id;
            if (id == NULL || r->ids[i] == NULL || ASN1_OCTET_STRING_cmp(id, r->ids[i]) != 0)
                continue;
            c->place = ENTRY_LEAF;
            any = true;
            if (c->alias == NULL && r->out->keys[k].alias != NULL)
                c->alias = mem_strdup(r->out->keys[k].alias);
        }
    }
    for (size_t i = 0; i < r->out->ncerts && any; i++) {
        struct part_cert *c = &r->out->certs[i];
        if (c->place == ENTRY_NONE && !c->trusted)
            c->place = ENTRY_ISSUER;
    }
}

/* --- keys --- */

static int open_sealed(struct reader *r, size_t key)
{
    const X509_SIG *sig = PKCS12_SAFEBAG_get0_pkcs8(r->keys[key].bag);
    struct password v[3] = { { NULL, 0 } };
    const X509_ALGOR *algorithm;
    char how[PBE_TEXT_MAX];
    enum key_opened why;
    size_t n = 0;
    int rc;

    if (sig == NULL)
        return parts_entry_closed(r->out, key, KEY_DAMAGED, NULL, r->pw, r->d);
    X509_SIG_get0(sig, &algorithm, NULL);
    if (r->pw->key != NULL)     /* keytool ignores one of its own, whatever it was told */
        v[n++] = password_of(r->pw->key);
    for (size_t i = 0; i < r->ntries; i++)
        v[n++] = r->tries[i];
    struct attempt a = { .fn = decrypt_key, .what = sig, .v = v, .n = n };
    why = decrypt(r, algorithm, &a);
    if (why == KEY_UNSUPPORTED && lacks_legacy(r))
        return refuse_legacy(r, pbe_text(algorithm, how));
    if (why == KEY_WRONG_PASSWORD && key_password(r->pw) == NULL)
        why = KEY_NO_PASSWORD;
    /* Without a MAC nothing has shown yet that the password is the keystore's. */
    if (why == KEY_WRONG_PASSWORD && !r->checked && r->pw->key == NULL)
        return refuse_password(r);
    if (why != KEY_OPEN)
        return parts_entry_closed(r->out, key, why, pbe_text(algorithm, how), r->pw, r->d);
    if (a.used > 0 && r->pw->key != NULL && r->pw->store != NULL)
        parts_entry_otherwise(r->out, key, r->d);
    rc = parts_entry_key(r->out, key, a.out, r->d);
    PKCS8_PRIV_KEY_INFO_free(a.out);
    return rc;
}

static int open_key(struct reader *r, size_t key)
{
    const PKCS12_SAFEBAG *bag = r->keys[key].bag;
    const PKCS8_PRIV_KEY_INFO *plain;

    if (PKCS12_SAFEBAG_get_nid(bag) == NID_pkcs8ShroudedKeyBag)
        return open_sealed(r, key);
    plain = PKCS12_SAFEBAG_get0_p8inf(bag);
    return plain != NULL ? parts_entry_key(r->out, key, plain, r->d)
                         : parts_entry_closed(r->out, key, KEY_DAMAGED, NULL, r->pw, r->d);
}

/* --- */

static int read_all(struct reader *r, PKCS12 *p12)
{
    int rc = check_mac(r, p12);

    if (goes_on(r, rc) && add_safes(r, p12) != 0)
        rc = -1;
    if (rc == 0 && PKCS12_mac_present(p12) && !r->checked)
        parts_unchecked(r->out, r->d);
    place_certs(r);
    for (size_t i = 0; i < r->out->nkeys && goes_on(r, rc); i++)
        if (parts_entry_meant(r->out, i) && open_key(r, i) != 0)
            rc = -1;
    return rc;
}

static void free_bags(STACK_OF(PKCS12_SAFEBAG) *bags)
{
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}

static int refuse_form(const struct parts *out, struct diags *d)
{
    char why[128];
    size_t whole;

    sslerr_text(why, sizeof(why));
    if (parts_cut_short(out->in->data, out->in->len, &whole))
        snprintf(why, sizeof(why), "it is cut short: %zu of %zu bytes are there", out->in->len,
                 whole);
    return parts_damaged(out, why, d);
}

int parts_p12(struct parts *out, const struct passwords *pw, struct diags *d)
{
    struct reader r = { .out = out, .pw = pw, .d = d, .rounds = PBE_ROUNDS_MAX };
    const unsigned char *p = out->in->data, *end = p + out->in->len;
    PKCS12 *p12;
    int rc;

    sslerr_clear();
    choose_tries(&r);
    p12 = out->in->len <= INT_MAX ? d2i_PKCS12(NULL, &p, (long)out->in->len) : NULL;
    if (p12 == NULL)
        rc = refuse_form(out, d);
    else if (p != end)
        rc = parts_damaged(out, "there are other bytes behind it", d);
    else
        rc = read_all(&r, p12);
    for (size_t i = 0; i < r.nsafes; i++)
        free_bags(r.safes[i]);
    free(r.safes);
    free(r.keys);
    free(r.ids);
    pbe_legacy_free(&r.legacy);
    PKCS12_free(p12);
    sslerr_clear();
    return rc;
}
