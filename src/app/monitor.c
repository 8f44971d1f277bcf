#include "app/monitor.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/channel.h"
#include "app/endpoints.h"
#include "app/health.h"
#include "app/httpd.h"
#include "app/logsink.h"
#include "app/memfile.h"
#include "app/outcome.h"
#include "app/status_html.h"
#include "app/viewer.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/schema.h"
#include "conf/settings.h"
#include "net/sock.h"

#define SETTINGS_MAX (256u << 20)

struct waiter {
    struct list link;
    struct httpd_call *call;
    bool text;                  /* wanted as lines, not as JSON */
};

struct monitor {
    struct channel *ch;
    struct httpd *httpd;
    struct addr *doors;         /* the address of each socket */
    monitor_done_fn *done;
    void *arg;
    uint64_t asked;             /* the number of the reload under way; 0: none */
    uint64_t last_number;
    struct list hearing;        /* waiters for the outcome of that one */
    struct list asking;         /* … of the one after it */
    struct list draining;       /* waiters for the end */
    struct health *health;
    struct viewer *viewer;
    void *recall;               /* what the one before us knew, until there are settings */
    size_t recall_len;
};

/* --- POST /reload --- */

/* What became of it, for each in the form that was asked for. */
static void answer_waiters(struct list *waiters, bool ok, struct span json, struct span text)
{
    LIST_EACH(pos, tmp, waiters) {
        struct waiter *w = LIST_OF(struct waiter, link, pos);
        struct httpd_answer a = {
            .status = ok ? 200 : 409,
            .type = w->text ? "text/plain; charset=utf-8" : "application/json",
            .body = w->text ? text.p : json.p,
            .len = w->text ? text.len : json.len,
        };
        list_remove(&w->link);
        httpd_answer(w->call, &a);
        free(w);
    }
}

static void refuse_waiters(struct list *waiters, const char *why)
{
    LIST_EACH(pos, tmp, waiters) {
        struct waiter *w = LIST_OF(struct waiter, link, pos);
        list_remove(&w->link);
        httpd_say(w->call, 503, why);
        free(w);
    }
}

static void ask_if_due(struct monitor *m)
{
    struct channel_msg msg = { .kind = CHANNEL_RELOAD };

    if (m->asked != 0 || list_empty(&m->asking))
        return;
    m->asked = msg.number = ++m->last_number;
    LIST_EACH(pos, tmp, &m->asking) {
        list_remove(pos);
        list_append(&m->hearing, pos);
    }
    (void)channel_send(m->ch, &msg); /* a master that is gone shows as its end of file */
}

static void on_reloaded(struct monitor *m, const struct channel_msg *msg)
{
    struct outcome o;

    if (msg->number != m->asked || m->asked == 0)
        return;
    m->asked = 0;
    if (msg->nfds == 1 && outcome_read(msg->fds[0], &o)) {
        size_t json_len, text_len;
        char *json = outcome_json(&o, &json_len), *text = outcome_text(&o, &text_len);
        answer_waiters(&m->hearing, o.ok, (struct span){ json, json_len },
                       (struct span){ text, text_len });
        free(json);
        free(text);
        outcome_free(&o);
    } else {
        refuse_waiters(&m->hearing, "how the reload ended is in the log");
    }
    ask_if_due(m);
}

static void add_waiter(struct list *waiters, struct httpd_call *call,
                       const struct http1_request *r)
{
    struct waiter *w = mem_zalloc(sizeof(*w));
    struct span accept = { "", 0 };

    (void)http1_field(r, "accept", &accept);
    *w = (struct waiter){ .call = call, .text = http1_list_has(accept, "text/plain") };
    list_append(waiters, &w->link);
}

static void want_reload(struct monitor *m, struct httpd_call *call, const struct http1_request *r)
{
    add_waiter(&m->asking, call, r);
    ask_if_due(m);
}

/* --- POST /drain --- */

/* ?timeout=10s, or none. False: something else stands there. */
static bool drain_timeout(const struct http1_request *r, uint64_t *out)
{
    static const char key[] = "timeout=";
    const char *mark = memchr(r->target.p, '?', r->target.len);
    struct span query = { mark, mark ? (size_t)(r->target.p + r->target.len - mark) - 1 : 0 };

    *out = CHANNEL_DRAIN_DEFAULT;
    if (query.len == 0)
        return true;
    query.p++;
    if (query.len < strlen(key) || memcmp(query.p, key, strlen(key)) != 0)
        return false;
    query.p += strlen(key);
    query.len -= strlen(key);
    return duration_parse(query, out) && *out <= conf_keys[KEY_PROXY_DRAIN_TIMEOUT].max;
}

static void want_drain(struct monitor *m, struct httpd_call *call, const struct http1_request *r)
{
    struct channel_msg msg = { .kind = CHANNEL_DRAIN };

    if (!drain_timeout(r, &msg.number)) {
        httpd_say(call, 400, "?timeout= takes a duration of at most 1d, such as 10s");
        return;
    }
    add_waiter(&m->draining, call, r);
    (void)channel_send(m->ch, &msg);
}

static void on_drained(struct monitor *m, uint64_t cut)
{
    unsigned long long n = cut;
    char *json = mem_printf("{\"ok\": %s, \"cut\": %llu}\n", n == 0 ? "true" : "false", n);
    char *text = n == 0 ? mem_strdup("drained: no connection was cut\n")
                        : mem_printf("%llu connection%s cut\n", n, n == 1 ? " was" : "s were");

    answer_waiters(&m->draining, n == 0, str_span(json), str_span(text));
    free(json);
    free(text);
}

/* --- the other endpoints, and who may use which --- */

static void say_alive(struct monitor *m, struct httpd_call *call, const struct http1_request *r)
{
    (void)m;
    (void)r;
    httpd_say(call, 200, "ok");
}

/* --- who looks --- */

static void want_facts(struct monitor *m, uint64_t generation)
{
    struct channel_msg msg = { .kind = CHANNEL_FACTS, .number = generation };

    if (generation != 0)
        (void)channel_send(m->ch, &msg);
}

static void show(struct monitor *m, struct httpd_call *call, enum view what)
{
    viewer_show(m->viewer, call, what);
    want_facts(m, viewer_wants(m->viewer));
}

static void show_status(struct monitor *m, struct httpd_call *call, const struct http1_request *r)
{
    (void)r;
    show(m, call, VIEW_STATUS_JSON);
}

static void show_metrics(struct monitor *m, struct httpd_call *call, const struct http1_request *r)
{
    (void)r;
    show(m, call, VIEW_METRICS);
}

static void show_ready(struct monitor *m, struct httpd_call *call, const struct http1_request *r)
{
    (void)r;
    show(m, call, VIEW_READY);
}

/* The page is the same for all, and fetches /status.json. Nothing is in it that anybody sent, and
   nothing of it may come from elsewhere. */
static void show_page(struct httpd_call *call)
{
    httpd_answer(call, &(struct httpd_answer){
        .status = 200,
        .type = "text/html; charset=utf-8",
        .extra = "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
                 "script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
                 "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
                 "Referrer-Policy: no-referrer\r\n",
        .body = status_html,
        .len = status_html_len,
    });
}

/* A browser takes anything, but names text/html. */
static void show_root(struct monitor *m, struct httpd_call *call, const struct http1_request *r)
{
    struct span accept = { "", 0 };

    (void)http1_field(r, "accept", &accept);
    if (http1_list_has(accept, "text/html"))
        show_page(call);
    else
        show(m, call, VIEW_STATUS_TEXT);
}

static const struct place {
    const char *path;
    bool changes;               /* POST, over a Unix socket alone; else GET and HEAD */
    void (*serve)(struct monitor *m, struct httpd_call *call, const struct http1_request *r);
} places[] = {
    { "/", false, show_root },
    { "/status.json", false, show_status },
    { "/metrics", false, show_metrics },
    { "/healthz", false, say_alive },
    { "/readyz", false, show_ready },
    { "/reload", true, want_reload },
    { "/drain", true, want_drain },
};

static const struct place *find(struct span path)
{
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (str_eq(path, places[i].path))
            return &places[i];
    return NULL;
}

static void refuse_method(struct httpd_call *call, const struct place *e)
{
    const char *text = e->changes ? "this takes POST\n" : "this takes GET\n";
    struct httpd_answer a = {
        .status = 405,
        .type = "text/plain; charset=utf-8",
        .extra = e->changes ? "Allow: POST\r\n" : "Allow: GET, HEAD\r\n",
        .body = text,
        .len = strlen(text),
    };

    httpd_answer(call, &a);
}

/* The name that Host has, without its port, is an address or localhost. */
static bool names_an_address(struct span host)
{
    const char *colon = host.len > 0 && host.p[0] != '[' ? memchr(host.p, ':', host.len) : NULL;
    struct span name = { host.p, colon ? (size_t)(colon - host.p) : host.len };

    if (name.len == 0 || name.p[0] == '[' || str_eq(name, "localhost"))
        return true;
    for (size_t i = 0; i < name.len; i++)
        if ((name.p[i] < '0' || name.p[i] > '9') && name.p[i] != '.')
            return false;
    return true;
}

/* What a page in somebody's browser could send. It can reach our loopback, and, by a
   name of its own that it lets point there, read the answers too. */
static bool is_from_a_page(const struct httpd_call *call, const struct http1_request *r)
{
    struct span value;

    if (http1_field(r, "origin", &value))
        return true;
    return httpd_is_local(call) && http1_field(r, "host", &value) && !names_an_address(value);
}

static void on_request(void *arg, struct httpd_call *call, const struct http1_request *r,
                       size_t door)
{
    struct monitor *m = arg;
    bool is_unix = m->doors[door].u.sa.sa_family == AF_UNIX;
    const struct place *e = find(r->path);

    if (!is_unix && is_from_a_page(call, r))
        httpd_say(call, 403, "not for web pages");
    else if (e == NULL)
        httpd_say(call, 404, "there is no such endpoint");
    else if (e->changes && !is_unix)
        httpd_say(call, 403, "only over the Unix socket");
    else if (e->changes ? !str_eq(r->method, "POST")
                        : !str_eq(r->method, "GET") && !str_eq(r->method, "HEAD"))
        refuse_method(call, e);
    else
        e->serve(m, call, r);
}

static void forget(struct list *waiters, const struct httpd_call *call)
{
    LIST_EACH(pos, tmp, waiters) {
        struct waiter *w = LIST_OF(struct waiter, link, pos);
        if (call != NULL && w->call != call)
            continue;
        list_remove(&w->link);
        free(w);
    }
}

static void on_gone(void *arg, struct httpd_call *call)
{
    struct monitor *m = arg;

    forget(&m->hearing, call);
    forget(&m->asking, call);
    forget(&m->draining, call);
    viewer_gone(m->viewer, call);
}

/* --- servers --- */

static void on_changed(void *arg)
{
    struct monitor *m = arg;
    struct pack k = { 0 };

    health_pack(m->health, &k);
    int fd = memfile_write("endpoints", k.p, k.len);
    struct channel_msg msg = { .kind = CHANNEL_ENDPOINTS, .fds = &fd, .nfds = 1 };
    pack_free(&k);
    if (fd < 0) {
        log_error("what became of servers cannot be told: no file in memory could be made");
        return;
    }
    (void)channel_send(m->ch, &msg);
    close(fd);
}

/* The settings of an edition that is in force: they were found good before. */
static struct conf *conf_from(int fd)
{
    struct settings s = { 0 };
    struct diags d = { 0 };
    struct conf *c = NULL;
    size_t len = 0;
    void *bytes = memfile_read(fd, SETTINGS_MAX, &len);

    if (bytes != NULL && settings_unpack(bytes, len, &s) == 0)
        c = conf_build(&s, &d);
    settings_free(&s);
    diags_free(&d);
    free(bytes);
    return c;
}

static void on_settings(struct monitor *m, const struct channel_msg *msg)
{
    struct conf *c = msg->nfds == 1 ? conf_from(msg->fds[0]) : NULL;
    struct err e = ERR_INIT;

    if (c == NULL) {
        log_error("the monitor was sent no settings that it can read");
        return;
    }
    if (health_apply(m->health, c, &e) != 0)
        log_error("names are not resolved: %s", e.text);
    viewer_changed(m->viewer);
    if (m->recall != NULL)
        health_recall(m->health, m->recall, m->recall_len);
    free(m->recall);
    m->recall = NULL;
}

static void on_recall(struct monitor *m, const struct channel_msg *msg)
{
    free(m->recall);
    m->recall = msg->nfds == 1 ? memfile_read(msg->fds[0], ENDPOINTS_MAX, &m->recall_len) : NULL;
}

/* --- the master --- */

static void on_message(void *arg, struct channel_msg *msg)
{
    struct monitor *m = arg;

    switch (msg->kind) {
    case CHANNEL_RELOADED:
        on_reloaded(m, msg);
        break;
    case CHANNEL_DRAINED:
        on_drained(m, msg->number);
        break;
    case CHANNEL_SETTINGS:
        on_settings(m, msg);
        break;
    case CHANNEL_ENDPOINTS:
        on_recall(m, msg);
        break;
    case CHANNEL_REPORT:
    case CHANNEL_FACTS:
        want_facts(m, viewer_take(m->viewer, msg));
        break;
    case CHANNEL_DIALLER:
        health_dialler(m->health, msg->nfds == 1 ? msg->fds[0] : -1);
        if (msg->nfds == 1)
            msg->fds[0] = -1;
        break;
    case CHANNEL_PING:
        (void)channel_send(m->ch, &(struct channel_msg){ .kind = CHANNEL_PONG,
                                                         .number = msg->number });
        break;
    case CHANNEL_LOG:
        logsink_take(msg);
        break;
    default:
        break;                  /* not for us */
    }
}

static void on_master_gone(void *arg)
{
    struct monitor *m = arg;

    refuse_waiters(&m->hearing, "sallyport has ended");
    refuse_waiters(&m->asking, "sallyport has ended");
    refuse_waiters(&m->draining, "sallyport has ended; how is in the log");
    m->done(m->arg);
}

/* --- life --- */

struct monitor *monitor_new(struct loop *l, int channel, const int *sockets, size_t n,
                            const struct accounts *accounts, monitor_done_fn *done, void *arg,
                            struct err *e)
{
    struct monitor *m = mem_zalloc(sizeof(*m));
    struct httpd_events ev = { .request = on_request, .gone = on_gone, .arg = m };
    struct channel_msg ready = { .kind = CHANNEL_READY };

    m->done = done;
    m->arg = arg;
    list_init(&m->hearing);
    list_init(&m->asking);
    list_init(&m->draining);
    m->doors = mem_zalloc((n + 1) * sizeof(m->doors[0]));
    for (size_t i = 0; i < n; i++)
        (void)sock_local_addr(sockets[i], &m->doors[i]);
    m->health = health_new(l, on_changed, m);
    m->viewer = viewer_new(accounts, m->health);
    m->httpd = httpd_new(l, sockets, n, &ev, e);
    m->ch = channel_new(l, channel, on_message, on_master_gone, m);
    if (m->ch == NULL)
        err_setx(e, "memory is out");
    if (m->ch != NULL && m->httpd != NULL && channel_send(m->ch, &ready) == 0)
        return m;
    monitor_free(m);
    return NULL;
}

void monitor_free(struct monitor *m)
{
    if (m == NULL)
        return;
    httpd_free(m->httpd);
    viewer_free(m->viewer);
    health_free(m->health);
    free(m->recall);
    forget(&m->hearing, NULL);
    forget(&m->asking, NULL);
    forget(&m->draining, NULL);
    channel_free(m->ch);
    free(m->doors);
    free(m);
}
