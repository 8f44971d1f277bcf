/*
 * The PROXY header for the upstream: behind a plaintext hop, the service has no other way
 * to know who the client is.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "net/sock.h"
#include "proto/proxyhdr.h"
#include "proxy/conn_state.h"

static struct span text(const char *s)
{
    return (struct span){ s, s != NULL ? strlen(s) : 0 };
}

/* The first of its kind, which is what HAProxy tells. None when there is a NUL in it: who
   reads on to that only would take it for another name. */
static struct span common_name(const struct identity *id)
{
    static const struct span none = { NULL, 0 };

    for (size_t i = 0; id != NULL && i < id->nnames; i++) {
        const struct span *text = &id->names[i].text;
        if (id->names[i].kind == ID_CN)
            return memchr(text->p, '\0', text->len) == NULL ? *text : none;
    }
    return none;
}

static void addresses(const struct conn *c, struct proxyhdr_facts *f)
{
    struct addr here;

    f->from = c->peer;
    f->to.family = AF_UNIX;
    if (c->header != NULL)
        f->to = c->header->to;
    else if (c->original != NULL)
        peer_from(&c->original->addr.u.sa, &f->to);
    else if (sock_local_addr(c->client.fd, &here) == 0)
        peer_from(&here.u.sa, &f->to);
}

static size_t write_v2(struct conn *c, struct proxyhdr_facts *f, uint8_t *out)
{
    struct tls_telling told = { 0 };
    struct proxyhdr_tls tls;
    char id[24];
    size_t n;

    snprintf(id, sizeof(id), "%llx", (unsigned long long)c->id);
    f->unique_id = text(id);
    f->alpn = text(c->facts.alpn);
    f->authority = text(c->sni);
    if (!c->plain) {
        if (tls_stream_tell(&c->client, &told) != 0)
            return 0;
        tls = (struct proxyhdr_tls){
            .certified = c->facts.identity != NULL,
            .resumed = c->facts.resumed,
            .version = c->facts.version,
            .cipher = c->facts.suite,
            .group = c->facts.group,
            .sig_alg = told.sig_alg,
            .key_alg = told.key_alg,
            .cn = common_name(c->facts.identity),
            .cert = { (const char *)told.cert, told.cert_len },
        };
        f->tls = &tls;
    }
    n = proxyhdr_write_v2(f, true, out, PROXYHDR_MAX);
    tls_telling_free(&told);
    return n;
}

int conn_announce(struct conn *c)
{
    const struct conf_upstream *up = c->route->conf->upstream;
    struct proxyhdr_facts f = { 0 };
    uint8_t out[PROXYHDR_MAX];
    size_t n;

    addresses(c, &f);
    if (up->proxy_protocol == PROXY_V1)
        n = proxyhdr_write_v1(&f, (char *)out);
    else if (up->proxy_tlvs)
        n = write_v2(c, &f, out);
    else
        n = proxyhdr_write_v2(&f, false, out, sizeof(out));
    return n > 0 ? relay_prefix(&c->relay, out, n, &c->env->pool) : -1;
}
