#include "tls/key_uri.h"

#include <ctype.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/pack.h"
#include "base/uri.h"
#include "tls/key_engine.h"
#include "tls/sslerr.h"

#define SCHEME_MAX 32
#define MODULE_VARIABLE "PKCS11_PROVIDER_MODULE"

struct opening {
    const char *uri, *pin;
    struct span module;         /* module-path of the URI; p NULL: not said */
    char scheme[SCHEME_MAX];
    UI_METHOD *ui;
    unsigned asked;             /* how often for the PIN */
    bool several;
    struct key_uri_refusal *r;
};

/* --- the PIN --- */

/* Once: who asks again found it wrong, and a token that is told a wrong PIN three times
   is locked. */
static int give_pin(char *buf, int size, int writing, void *arg)
{
    struct opening *o = arg;
    size_t len = o->pin != NULL ? strlen(o->pin) : 0;

    (void)writing;
    if (o->asked++ > 0 || o->pin == NULL || len >= (size_t)size)
        return -1;
    memcpy(buf, o->pin, len);
    buf[len] = '\0';
    return (int)len;
}

static int no_answer(UI *ui, UI_STRING *question)
{
    (void)ui;
    (void)question;
    return 0;
}

/* A provider that got no PIN from us would ask at the terminal, with OpenSSL's own method. */
static void silence(void)
{
    UI_METHOD *mute;

    if (UI_get_default_method() != UI_OpenSSL() || (mute = UI_create_method("nobody")) == NULL)
        return;
    UI_method_set_reader(mute, no_answer);
    UI_set_default_method(mute);        /* OpenSSL's from now on */
}

/* --- through OSSL_STORE --- */

static bool has_loader(const char *scheme)
{
    OSSL_STORE_LOADER *l = OSSL_STORE_LOADER_fetch(NULL, scheme, NULL);
    bool yes = l != NULL;

    OSSL_STORE_LOADER_free(l);
    return yes;
}

/* A provider that no configuration names has its module from the environment. */
static bool name_module(const struct opening *o)
{
    char *path = o->module.p != NULL ? uri_decode(o->module) : NULL;
    bool ok = o->module.p == NULL || (path != NULL && setenv(MODULE_VARIABLE, path, 1) == 0);

    free(path);
    return ok;
}

/* Whoever activated the provider in openssl.cnf has it; else it is tried under its usual
   name, beside the default provider, which goes first for all that is no token's. */
static bool find_loader(const struct opening *o)
{
    bool found = has_loader(o->scheme);

    if (!found && strcmp(o->scheme, "pkcs11") == 0
        && name_module(o) && OSSL_PROVIDER_load(NULL, "default") != NULL
        && OSSL_PROVIDER_try_load(NULL, "pkcs11", 1) != NULL)
        found = has_loader(o->scheme);
    sslerr_clear();
    return found;
}

/* An object may be listed twice, and is one key then. */
static void take_key(struct opening *o, EVP_PKEY **have, const OSSL_STORE_INFO *info)
{
    EVP_PKEY *key = OSSL_STORE_INFO_get0_PKEY(info);

    if (key == NULL)
        return;
    if (*have == NULL) {
        EVP_PKEY_up_ref(key);
        *have = key;
    } else if (EVP_PKEY_eq(*have, key) != 1) {
        o->several = true;
    }
}

static EVP_PKEY *open_store(struct opening *o)
{
    OSSL_STORE_CTX *ctx = OSSL_STORE_open_ex(o->uri, NULL, NULL, o->ui, o, NULL, NULL, NULL);
    EVP_PKEY *key = NULL;

    if (ctx == NULL)
        return NULL;
    if (OSSL_STORE_expect(ctx, OSSL_STORE_INFO_PKEY) == 1) {
        while (!OSSL_STORE_eof(ctx)) {
            OSSL_STORE_INFO *info = OSSL_STORE_load(ctx);
            if (info != NULL)
                take_key(o, &key, info);
            else if (OSSL_STORE_error(ctx))
                break;
            OSSL_STORE_INFO_free(info);
        }
    }
    OSSL_STORE_close(ctx);
    if (o->several) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

/* --- does it work, and whose is it --- */

static const unsigned char message[] = "sallyport";

static const EVP_MD *digest_for(const EVP_PKEY *key)
{
    int type = EVP_PKEY_get_base_id(key);

    return type == EVP_PKEY_ED25519 || type == EVP_PKEY_ED448 ? NULL : EVP_sha256();
}

/* The caller's; NULL, with the reason queued, when it does not sign. */
static unsigned char *sign(EVP_PKEY *key, size_t *len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char *sig = NULL;
    bool ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, digest_for(key), NULL, key) == 1
              && EVP_DigestSign(ctx, NULL, len, message, sizeof(message)) == 1
              && (sig = malloc(*len > 0 ? *len : 1)) != NULL
              && EVP_DigestSign(ctx, sig, len, message, sizeof(message)) == 1;

    if (!ok) {
        free(sig);
        sig = NULL;
    }
    EVP_MD_CTX_free(ctx);
    return sig;
}

bool key_uri_works(EVP_PKEY *key)
{
    size_t len = 0;
    unsigned char *sig = sign(key, &len);

    free(sig);
    return sig != NULL;
}

bool key_uri_matches(EVP_PKEY *key, EVP_PKEY *pub)
{
    size_t len = 0;
    unsigned char *sig;
    EVP_MD_CTX *ctx;
    bool ok = false;

    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_get_base_id(pub)
        && (sig = sign(key, &len)) != NULL) {
        ctx = EVP_MD_CTX_new();
        ok = ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, digest_for(pub), NULL, pub) == 1
             && EVP_DigestVerify(ctx, sig, len, message, sizeof(message)) == 1;
        EVP_MD_CTX_free(ctx);
        free(sig);
    }
    sslerr_clear();
    return ok;
}

/* --- why not --- */

/* PKCS#11's own return values (CKR_…), which the engine hands on as reasons. */
enum { CKR_PIN_INCORRECT = 0xa0, CKR_PIN_LOCKED = 0xa4 };

/* Providers and the engine have their own error numbers, made up as they are loaded: only
   their words can be looked at. */
static bool says(const char *text, const char *word)
{
    return text != NULL && strcasestr(text, word) != NULL;
}

struct symptoms {
    bool wrong_pin, locked;
    char text[128];             /* what OpenSSL says first */
};

static void examine(struct symptoms *s)
{
    const char *data;
    unsigned long code;
    int flags;

    s->text[0] = '\0';
    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        const char *reason = ERR_reason_error_string(code);
        bool system = ERR_GET_LIB(code) < ERR_LIB_USER;
        s->wrong_pin = s->wrong_pin || says(reason, "PIN incorrect") || says(reason, "PIN invalid")
                       || (flags & ERR_TXT_STRING && says(data, "PIN incorrect"))
                       || (!system && ERR_GET_REASON(code) == CKR_PIN_INCORRECT);
        s->locked = s->locked || says(reason, "PIN locked")
                    || (!system && ERR_GET_REASON(code) == CKR_PIN_LOCKED);
        if (s->text[0] == '\0' && reason != NULL)
            snprintf(s->text, sizeof(s->text), "%s", reason);
    }
}

static void refuse(const struct opening *o)
{
    struct symptoms s = { 0 };
    bool has_pin = o->pin != NULL;

    examine(&s);
    if (o->several) {
        err_setx(&o->r->why, "several keys match the URI");
        err_setx(&o->r->hint, "say which: object=LABEL or id=%%XX");
    } else if (s.locked) {
        err_setx(&o->r->why, "the PIN is locked after too many wrong ones");
    } else if (s.wrong_pin || (has_pin && o->asked > 1)) {
        err_setx(&o->r->why, "the PIN is wrong");
        err_setx(&o->r->hint, "it is in `password_file`; the token locks it after some wrong ones");
    } else if (o->asked > 0 && !has_pin) {
        err_setx(&o->r->why, "a PIN is needed");
        err_setx(&o->r->hint, "put it into a file: password_file = FILE");
    } else if (o->asked > 0 && !says(s.text, "not found")) {
        /* Not every provider tells which of them it is. */
        err_setx(&o->r->why, "no such private key, or the PIN is wrong%s%s",
                 s.text[0] != '\0' ? ": " : "", s.text);
        err_setx(&o->r->hint, "the PIN is in `password_file`, and the token locks it after some "
                              "wrong ones; to see what there is: p11tool --login --list-privkeys "
                              "URI");
    } else if (s.text[0] == '\0' || says(s.text, "not found")) {
        err_setx(&o->r->why, "no such private key, or no such token");
        err_setx(&o->r->hint, "what there is: p11tool --list-tokens, and "
                              "p11tool --login --list-privkeys URI");
    } else {
        err_setx(&o->r->why, "the key cannot be had: %s", s.text);
        err_setx(&o->r->hint, "say which PKCS#11 module: KEY?module-path=FILE; without it "
                              "p11-kit's proxy is taken (package p11-kit-modules)");
    }
}

static void refuse_scheme(const struct opening *o)
{
    err_setx(&o->r->why, "OpenSSL knows nobody who keeps keys by the scheme %s:", o->scheme);
    if (strcmp(o->scheme, "pkcs11") == 0)
        err_setx(&o->r->hint, "install pkcs11-provider (Debian 12: libengine-pkcs11-openssl)");
    else
        err_setx(&o->r->hint, "activate the provider for it in openssl.cnf; a file whose name has "
                              "a colon is written ./%s", o->uri);
}

/*
 * One process at a time: a soft token writes its files when somebody logs in, and who reads
 * them just then finds no token (SoftHSM 2.6). The program's own file is what all of them
 * can lock. Whoever holds it for long, which anybody on this machine could, is passed by.
 */
#define TURN_MS 20
#define TURNS 100

static int take_turn(void)
{
    const struct timespec pause = { 0, TURN_MS * 1000000L };
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    for (int i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && i < TURNS; i++)
        nanosleep(&pause, NULL);
    return fd;
}

static EVP_PKEY *open_somehow(struct opening *o)
{
    EVP_PKEY *key = NULL;
    char why[128];

    if (find_loader(o)) {
        key = open_store(o);
    } else if (strcmp(o->scheme, "pkcs11") != 0
               || !key_engine_open(o->uri, o->pin, o->module, o->ui, o, &key)) {
        refuse_scheme(o);
        return NULL;
    }
    if (key == NULL) {
        refuse(o);
    } else if (!key_uri_works(key)) {
        err_setx(&o->r->why, "the key does not sign: %s", sslerr_text(why, sizeof(why)));
        EVP_PKEY_free(key);
        key = NULL;
    }
    return key;
}

EVP_PKEY *key_uri_open(const char *uri, const char *pin, struct key_uri_refusal *r)
{
    struct opening o = { .uri = uri, .pin = pin, .r = r };
    struct span text = { uri, strlen(uri) };
    EVP_PKEY *key = NULL;
    size_t n = uri_scheme(text);

    r->why.text[0] = r->hint.text[0] = '\0';
    memcpy(o.scheme, uri, n < SCHEME_MAX ? n : SCHEME_MAX - 1);
    for (char *p = o.scheme; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    uri_attribute(text, "module-path", &o.module);
    sslerr_clear();
    silence();
    o.ui = UI_UTIL_wrap_read_pem_callback(give_pin, 0);
    if (o.ui == NULL) {
        err_setx(&r->why, "memory is out");
        return NULL;
    }
    int turn = take_turn();
    key = open_somehow(&o);
    if (turn >= 0)
        close(turn);
    UI_destroy_method(o.ui);
    sslerr_clear();
    return key;
}

/* --- the record --- */

/* DER of PKCS#8 begins with 0x30. Behind the mark, each text with its NUL, so that it can be
   used where it lies; the PIN is empty when there is none. */
static const uint8_t mark[] = { 'U', 'R', 'I', ':' };

struct der key_uri_record(const char *uri, const char *pin)
{
    struct pack k = { 0 };

    pack_bytes(&k, mark, sizeof(mark));
    pack_bytes(&k, uri, strlen(uri) + 1);
    if (pin != NULL)
        pack_bytes(&k, pin, strlen(pin) + 1);
    return (struct der){ k.p, k.len };
}

bool key_uri_is_record(const uint8_t *p, size_t len)
{
    return len > sizeof(mark) && memcmp(p, mark, sizeof(mark)) == 0 && p[len - 1] == '\0';
}

EVP_PKEY *key_uri_open_record(const uint8_t *p, size_t len, struct err *e)
{
    const char *uri = (const char *)p + sizeof(mark), *end = (const char *)p + len;
    const char *pin = uri + strlen(uri) + 1;
    struct key_uri_refusal r;
    EVP_PKEY *key = key_uri_open(uri, pin < end ? pin : NULL, &r);

    if (key == NULL)
        err_setx(e, "%s: %s", uri, r.why.text);
    return key;
}
