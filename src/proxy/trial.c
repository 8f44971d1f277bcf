#include "proxy/trial.h"

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
    if (!out->awaits_header && nets_have(&first->plaintext_from, ask->from))
        out->plaintext = first;
}

int trial_run(const struct snapshot *s, const struct snap_listener *l,
              const struct trial_ask *ask, struct trial *out, struct err *e)
{
    struct route_ask hello = { ask->name, ask->alpn, ask->alpn_len };
    const struct peer_file *c = ask->client;

    *out = (struct trial){ .refused = true };
    judge_source(s, l, ask, out);
    out->route = snapshot_route(s, l, &hello, &out->by);
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
