#include "proxy/trial.h"

#include <sys/socket.h>

static void judge_source(const struct snapshot *s, const struct snap_listener *l,
                         const struct trial_ask *ask, struct trial *out)
{
    enum route_by by;
    const struct snap_route *first;

    if (ask->from == NULL)
        return;
    out->awaits_header = nets_have(&l->proxy_from, ask->from);
    /* Who speaks plaintext asks for nothing. */
    first = snapshot_route(s, l, &(struct route_ask){ 0 }, &by);
    if (!out->awaits_header && conf_takes_tls(first->conf)
        && nets_have(&first->plaintext_from, ask->from))
        out->plaintext = first;
}

/* As conn_opening has it. */
static bool may_send_plaintext(const struct snap_route *r, const struct peer *from)
{
    return r->plaintext_from.n > 0 ? nets_have(&r->plaintext_from, from)
                                   : from->family == AF_UNIX || peer_is_loopback(from);
}

static void judge_plain(const struct trial_ask *ask, struct trial *out)
{
    out->plain = true;
    out->refused = !out->awaits_header && ask->from != NULL
                && !may_send_plaintext(out->route, ask->from);
    if (out->refused)
        out->why = (struct tls_failure){
            .name = "plaintext-refused", .side = SIDE_CLIENT,
            .text = "its address may not connect in plaintext",
            .fix = "add its network to plaintext_from of the route",
        };
}

int trial_run(const struct snapshot *s, const struct snap_listener *l,
              const struct trial_ask *ask, struct trial *out, struct err *e)
{
    struct route_ask hello = { ask->name, ask->alpn, ask->alpn_len };
    const struct peer_file *c = ask->client;

    *out = (struct trial){ .refused = true };
    judge_source(s, l, ask, out);
    out->route = snapshot_route(s, l, &hello, &out->by);
    if (!conf_takes_tls(out->route->conf)) {
        judge_plain(ask, out);
        return 0;
    }
    if (!snapshot_serves_name(l, out->route, ask->name, out->by)) {
        failure_early(TLS_CAUSE_UNKNOWN_NAME, ask->name, &out->why);
        return 0;
    }
    out->npairs = certs_find(out->route->certs, ask->name, out->pairs, e);
    if (out->npairs == 0)
        return -1;
    if (verify_alpn(out->route->tls, ask->alpn, ask->alpn_len, &out->alpn, &out->why) != 0)
        return 0;
    out->asked = out->route->tls->client_auth != TLS_CLIENT_NONE;
    if (verify_client(out->route->tls, c != NULL ? c->leaf : NULL, c != NULL ? c->sent : NULL,
                      &out->why) != 0)
        return 0;
    out->judged = true;
    out->verdict = policy_judge(out->route->conf, out->asked && c != NULL ? c->identity : NULL);
    out->refused = !verdict_admits(&out->verdict);
    if (out->refused)
        failure_early(TLS_CAUSE_DENIED, NULL, &out->why);
    return 0;
}
