#include "tls/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "tls/certinfo.h"
#include "tls/revocation.h"

int64_t sessions_until(SSL *ssl, int64_t made, int64_t age)
{
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    X509_STORE *store = NULL;
    int64_t until = made + age, end;

    (void)SSL_get0_verify_cert_store(ssl, &store);
    for (int i = 0; i < sk_X509_num(chain); i++) {
        end = time_of(X509_get0_notAfter(sk_X509_value(chain, i)));
        if (end < until)
            until = end;
    }
    end = revocation_until(store, chain, made);
    return end < until ? end : until;
}

struct place {
    SSL_SESSION *session;       /* NULL: free */
    uint8_t key[DIGEST_LEN];
    int64_t until;
    uint64_t number;            /* in the order in which they came */
};

struct tls_sessions {
    uint64_t next;
    struct place v[SESSIONS_MAX];
};

struct tls_sessions *tls_sessions_new(void)
{
    return calloc(1, sizeof(struct tls_sessions));
}

static void clear(struct place *p)
{
    SSL_SESSION_free(p->session);
    p->session = NULL;
}

void tls_sessions_free(struct tls_sessions *s)
{
    for (size_t i = 0; s != NULL && i < SESSIONS_MAX; i++)
        clear(&s->v[i]);
    free(s);
}

static bool is_at(const struct place *p, const uint8_t key[DIGEST_LEN])
{
    return p->session != NULL && memcmp(p->key, key, DIGEST_LEN) == 0;
}

/* The oldest there, if it is full; else a free place, else the oldest of all. */
static struct place *make_room(struct tls_sessions *s, const uint8_t key[DIGEST_LEN])
{
    struct place *there = NULL, *any = &s->v[0];
    unsigned n = 0;

    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct place *p = &s->v[i];
        if (p->session == NULL ? any->session != NULL
                               : any->session != NULL && p->number < any->number)
            any = p;
        if (!is_at(p, key))
            continue;
        n++;
        if (there == NULL || p->number < there->number)
            there = p;
    }
    return n >= SESSIONS_EACH ? there : any;
}

void tls_sessions_put(struct tls_sessions *s, const uint8_t key[DIGEST_LEN], SSL_SESSION *session,
                      int64_t until)
{
    struct place *p = make_room(s, key);

    clear(p);
    *p = (struct place){ .session = session, .until = until, .number = s->next++ };
    memcpy(p->key, key, DIGEST_LEN);
}

SSL_SESSION *tls_sessions_take(struct tls_sessions *s, const uint8_t key[DIGEST_LEN], int64_t now,
                               int64_t *until)
{
    struct place *best = NULL;
    SSL_SESSION *out;

    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        struct place *p = &s->v[i];
        if (p->session != NULL
            && (p->until <= now || SSL_SESSION_is_resumable(p->session) != 1))
            clear(p);
        else if (is_at(p, key) && (best == NULL || p->number > best->number))
            best = p;
    }
    if (best == NULL)
        return NULL;
    out = best->session;
    *until = best->until;
    if (SSL_SESSION_get_protocol_version(out) >= TLS1_3_VERSION)
        best->session = NULL;
    else if (SSL_SESSION_up_ref(out) != 1)
        out = NULL;
    return out;
}
