#include "net/resolve.h"

#include <ares.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/list.h"
#include "base/mem.h"

#define RESOLV_CONF "/etc/resolv.conf"

#define ASK_MS 2000             /* how long a server has, for each of TRIES */
#define TRIES 3

#define TTL_MIN 1u
#define TTL_MAX 300u
#define RETRY_FIRST_MS 1000u
#define RETRY_MAX_MS 30000u

/* A descriptor of c-ares'. */
struct watched {
    struct list link;
    struct loop_fd *io;
    struct resolver *r;
    int fd;
};

struct resolver {
    struct loop *loop;
    ares_channel ares;
    struct loop_timer *timer;
    struct list watched;
    char *servers;              /* as ares_set_servers_ports_csv() takes them; NULL: the system's */
    struct stat seen;           /* RESOLV_CONF, when it was read */
    unsigned pending;
};

/* One try. It outlives the name when that is freed meanwhile. */
struct asking {
    struct resolve_name *name;  /* NULL: nobody waits any more */
    struct resolver *r;
};

struct resolve_name {
    struct resolver *r;
    char *host;
    uint16_t port;
    resolve_fn *fn;
    void *arg;
    struct loop_timer *timer;
    struct asking *asking;
    unsigned failures;          /* in a row */
};

uint64_t resolve_again_ms(uint32_t ttl, unsigned failures)
{
    if (failures > 0) {
        unsigned doublings = failures - 1 < 10 ? failures - 1 : 10;
        uint64_t ms = (uint64_t)RETRY_FIRST_MS << doublings;
        return ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
    }
    if (ttl < TTL_MIN)
        ttl = TTL_MIN;
    return (ttl < TTL_MAX ? ttl : TTL_MAX) * (uint64_t)1000;
}

/* --- c-ares on our loop --- */

static void set_timer(struct resolver *r)
{
    struct timeval most = { 3600, 0 }, left;
    struct timeval *t = ares_timeout(r->ares, &most, &left);

    if (r->pending == 0) {
        loop_timer_clear(r->timer);
        return;
    }
    (void)loop_timer_set(r->timer, (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000 + 1);
}

static void on_timer(void *arg)
{
    struct resolver *r = arg;

    ares_process_fd(r->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(r);
}

/* c-ares may close the descriptor, and so free the watched, on the way. */
static void on_ready(void *arg, unsigned ready)
{
    struct watched *w = arg;
    struct resolver *r = w->r;
    int fd = w->fd;

    ares_process_fd(r->ares, ready & LOOP_READ ? fd : ARES_SOCKET_BAD,
                    ready & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
    set_timer(r);
}

static struct watched *find(struct resolver *r, int fd)
{
    LIST_EACH(pos, tmp, &r->watched) {
        struct watched *w = LIST_OF(struct watched, link, pos);
        if (w->fd == fd)
            return w;
    }
    return NULL;
}

static void unwatch(struct watched *w)
{
    list_remove(&w->link);
    loop_fd_free(w->io);
    free(w);
}

/* What cannot be watched is found by the timer: the try fails then. */
static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *r = arg;
    struct watched *w = find(r, fd);
    unsigned want = (readable ? (unsigned)LOOP_READ : 0) | (writable ? (unsigned)LOOP_WRITE : 0);

    if (want == 0) {
        if (w != NULL)
            unwatch(w);
        return;
    }
    if (w == NULL) {
        w = mem_zalloc(sizeof(*w));
        w->r = r;
        w->fd = fd;
        w->io = loop_fd_new(r->loop, fd, on_ready, w);
        list_append(&r->watched, &w->link);
    }
    if (w->io != NULL)
        (void)loop_fd_want(w->io, want);
}

/* --- the channel --- */

static int open_channel(struct resolver *r, struct err *e)
{
    struct ares_options o = {
        .timeout = ASK_MS,
        .tries = TRIES,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = r,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;

    /* Newer ones remember answers, failures too. We ask when it is time to. */
#ifdef ARES_OPT_QUERY_CACHE
    o.qcache_max_ttl = 0;
    mask |= ARES_OPT_QUERY_CACHE;
#endif
    if (stat(RESOLV_CONF, &r->seen) != 0)
        r->seen = (struct stat){ 0 };
    int rc = ares_init_options(&r->ares, &o, mask);
    if (rc == ARES_SUCCESS && r->servers != NULL) {
        rc = ares_set_servers_ports_csv(r->ares, r->servers);
        if (rc != ARES_SUCCESS)
            ares_destroy(r->ares);
    }
    if (rc == ARES_SUCCESS)
        return 0;
    r->ares = NULL;
    return err_setx(e, "%s", ares_strerror(rc));
}

/* The system's servers may be others now. Who is asking the old ones asks again. */
static void renew(struct resolver *r)
{
    struct err e = ERR_INIT;
    struct stat now;
    ares_channel old = r->ares;

    if (r->servers != NULL || stat(RESOLV_CONF, &now) != 0
        || (now.st_ino == r->seen.st_ino && now.st_size == r->seen.st_size
            && now.st_mtim.tv_sec == r->seen.st_mtim.tv_sec
            && now.st_mtim.tv_nsec == r->seen.st_mtim.tv_nsec))
        return;
    if (open_channel(r, &e) != 0) {
        r->ares = old;          /* it serves */
        return;
    }
    ares_destroy(old);
}

static char *servers_csv(const struct addr *v, size_t n)
{
    char text[ADDR_TEXT_MAX];
    char *csv = n > 0 ? mem_strdup("") : NULL;

    for (size_t i = 0; i < n; i++)
        csv = mem_join(csv, ",", addr_text(&v[i], text));
    return csv;
}

struct resolver *resolver_new(struct loop *l, const struct addr *servers, size_t n, struct err *e)
{
    struct resolver *r;
    int rc = ares_library_init(ARES_LIB_INIT_ALL);

    if (rc != ARES_SUCCESS) {
        err_setx(e, "%s", ares_strerror(rc));
        return NULL;
    }
    r = mem_zalloc(sizeof(*r));
    r->loop = l;
    list_init(&r->watched);
    r->servers = servers_csv(servers, n);
    r->timer = loop_timer_new(l, on_timer, r);
    if (r->timer != NULL && open_channel(r, e) == 0)
        return r;
    resolver_free(r);
    return NULL;
}

void resolver_free(struct resolver *r)
{
    if (r == NULL)
        return;
    if (r->ares != NULL)
        ares_destroy(r->ares);  /* tells all that are asked, and closes its descriptors */
    LIST_EACH(pos, tmp, &r->watched)
        unwatch(LIST_OF(struct watched, link, pos));
    loop_timer_free(r->timer);
    free(r->servers);
    free(r);
    ares_library_cleanup();
}

/* --- a name --- */

static int compare(const void *a, const void *b)
{
    char x[ADDR_TEXT_MAX], y[ADDR_TEXT_MAX];
    const struct addr *p = a, *q = b;

    if (p->u.sa.sa_family != q->u.sa.sa_family)
        return p->u.sa.sa_family == AF_INET ? -1 : 1;
    return strcmp(addr_text(p, x), addr_text(q, y));
}

/* The addresses in an answer, in our order; *ttl: the least of theirs, in seconds. */
static size_t collect(const struct ares_addrinfo *ai, uint16_t port, struct addr *v, uint32_t *ttl)
{
    size_t n = 0;

    *ttl = TTL_MAX;
    for (const struct ares_addrinfo_node *i = ai->nodes; i != NULL && n < RESOLVE_MAX;
         i = i->ai_next) {
        struct addr a = { .len = (socklen_t)i->ai_addrlen };
        if ((i->ai_family != AF_INET && i->ai_family != AF_INET6) || a.len > sizeof(a.u))
            continue;
        memcpy(&a.u, i->ai_addr, a.len);
        addr_set_port(&a, port);
        size_t k = 0;
        while (k < n && !addr_equal(&v[k], &a))
            k++;
        if (k == n)
            v[n++] = a;
        if (i->ai_ttl >= 0 && (uint32_t)i->ai_ttl < *ttl)
            *ttl = (uint32_t)i->ai_ttl;
    }
    qsort(v, n, sizeof(v[0]), compare);
    return n;
}

static const char *words(int status)
{
    switch (status) {
    case ARES_ENOTFOUND: return "there is no such name";
    case ARES_SUCCESS:
    case ARES_ENODATA: return "the name has no address";
    case ARES_ESERVFAIL: return "the name server failed";
    case ARES_EREFUSED: return "the name server refused to answer";
    case ARES_ETIMEOUT: return "no answer from a name server";
    case ARES_ECONNREFUSED: return "no name server could answer";
    case ARES_EBADRESP:
    case ARES_EFORMERR: return "the name server sent nonsense";
    default: return ares_strerror(status);
    }
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *ai)
{
    struct asking *q = arg;
    struct resolve_name *name = q->name;
    struct addr v[RESOLVE_MAX];
    size_t n = 0;
    uint32_t ttl = 0;

    (void)timeouts;
    q->r->pending--;
    if (name != NULL && status == ARES_SUCCESS && ai != NULL)
        n = collect(ai, name->port, v, &ttl);
    if (ai != NULL)
        ares_freeaddrinfo(ai);
    free(q);
    if (name == NULL)
        return;
    name->asking = NULL;
    if (status == ARES_EDESTRUCTION) {
        (void)loop_timer_set(name->timer, 0);   /* renew() */
        return;
    }
    if (n > 0)
        name->failures = 0;
    else if (name->failures < UINT32_MAX)
        name->failures++;
    (void)loop_timer_set(name->timer, resolve_again_ms(ttl, name->failures));
    name->fn(name->arg, v, n, n > 0 ? NULL : words(status));
}

static void on_due(void *arg)
{
    struct resolve_name *n = arg;
    struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT };
    struct resolver *r = n->r;
    struct asking *q = mem_zalloc(sizeof(*q));

    renew(r);
    *q = (struct asking){ .name = n, .r = r };
    n->asking = q;
    r->pending++;
    /* What /etc/hosts knows is told before this returns. */
    ares_getaddrinfo(r->ares, n->host, NULL, &hints, on_answer, q);
    set_timer(r);
}

struct resolve_name *resolve_name_new(struct resolver *r, const char *host, uint16_t port,
                                      resolve_fn *fn, void *arg)
{
    struct resolve_name *n = mem_zalloc(sizeof(*n));

    *n = (struct resolve_name){
        .r = r, .host = mem_strdup(host), .port = port, .fn = fn, .arg = arg
    };
    n->timer = loop_timer_new(r->loop, on_due, n);
    if (n->timer == NULL || loop_timer_set(n->timer, 0) != 0)
        abort();                /* memory is out */
    return n;
}

void resolve_name_free(struct resolve_name *n)
{
    if (n == NULL)
        return;
    if (n->asking != NULL)
        n->asking->name = NULL;
    loop_timer_free(n->timer);
    free(n->host);
    free(n);
}
