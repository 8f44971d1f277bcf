#include "app/listeners.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/inherited.h"
#include "base/mem.h"
#include "net/sock.h"

/* One address: what was asked for, what it became, a socket for each worker. */
struct point {
    unsigned refs;              /* sets that share it */
    struct addr wanted, bound;
    int *fds;
    size_t nfds;                /* 1 for a Unix socket, and for one of systemd's */
    dev_t dev;                  /* of the Unix socket's file, to know it again */
    ino_t ino;
};

struct listen_set {
    struct point **points;      /* in the order of conf->listeners */
    bool *is_new;
    size_t n;
    int **fds;                  /* per worker, one for each point */
    size_t nworkers;
};

static bool is_unix(const struct addr *a)
{
    return a->u.sa.sa_family == AF_UNIX;
}

/* A new instance may have replaced our socket file with its own: that one stays. */
static void unlink_if_ours(const struct point *p)
{
    const char *path = p->bound.u.un.sun_path;
    struct stat st;

    if (lstat(path, &st) == 0 && st.st_dev == p->dev && st.st_ino == p->ino)
        (void)unlink(path);
}

static void point_unref(struct point *p)
{
    if (p == NULL || --p->refs > 0)
        return;
    if (p->nfds > 0 && is_unix(&p->wanted) && !inherited_files_stay())
        unlink_if_ours(p);
    for (size_t i = 0; i < p->nfds; i++)
        close(p->fds[i]);
    free(p->fds);
    free(p);
}

static int bind_one(struct point *p, struct err *e)
{
    char key[ADDR_TEXT_MAX];

    /* From whom we take over; else the first bind chooses where the port is 0, and the others
       follow it. */
    int fd = inherited_take(addr_text(&p->wanted, key));
    if (fd < 0)
        fd = sock_listen(p->nfds == 0 ? &p->wanted : &p->bound, SOMAXCONN, e);
    if (fd < 0)
        return -1;

    p->fds[p->nfds++] = fd;
    if (p->nfds > 1)
        return 0;
    if (sock_local_addr(fd, &p->bound) != 0)
        return err_set(e, "cannot read back the address");
    if (is_unix(&p->wanted)) {
        struct stat st;
        p->bound = p->wanted;
        if (lstat(p->wanted.u.un.sun_path, &st) != 0)
            return err_set(e, "cannot find the socket's file");
        p->dev = st.st_dev;
        p->ino = st.st_ino;
    }
    return 0;
}

static int take_systemds(struct point *p, struct err *e)
{
    int fd = inherited_from_name(&p->wanted, e);

    if (fd < 0)
        return -1;
    p->fds[p->nfds++] = fd;
    return sock_local_addr(fd, &p->bound) == 0 ? 0 : err_set(e, "cannot read back the address");
}

static struct point *point_open(const struct addr *a, size_t nworkers, struct err *e)
{
    struct point *p = mem_zalloc(sizeof(*p));
    size_t want = is_unix(a) || addr_is_systemd(a) ? 1 : nworkers;

    p->refs = 1;
    p->wanted = *a;
    p->fds = mem_zalloc(want * sizeof(int));
    while (p->nfds < want) {
        errno = 0;
        if ((addr_is_systemd(a) ? take_systemds : bind_one)(p, e) != 0) {
            int saved = errno;
            point_unref(p);
            errno = saved;
            return NULL;
        }
    }
    return p;
}

static struct point *shared(const struct listen_set *running, const struct addr *a)
{
    for (size_t i = 0; running != NULL && i < running->n; i++) {
        if (addr_equal(&running->points[i]->wanted, a)) {
            running->points[i]->refs++;
            return running->points[i];
        }
    }
    return NULL;
}

static const char *hint_for(int code)
{
    if (code == EADDRINUSE)
        return "another program listens there";
    if (code == EACCES)
        return "ports below 1024 need root or CAP_NET_BIND_SERVICE; a Unix socket needs a "
               "directory we may write to";
    if (code == EADDRNOTAVAIL)
        return "this host has no such address";
    return NULL;
}

static void complain(struct diags *d, enum diag_level level, const struct conf_listener *l,
                     const char *message, const char *hint)
{
    char *section = mem_printf("listener %s", l->head.name);
    struct diag_at where = { .at = l->head.at, .section = section };

    diag_add(d, level, where, hint, "%s", message);
    free(section);
}

static void complain_of_systemds(struct diags *d, const struct conf_listener *l,
                                 const char *message)
{
    char text[ADDR_TEXT_MAX];
    char *hint = inherited_hint(&l->addr);
    struct diag_at where = conf_at(&l->routes[0]->head, KEY_ROUTE_LISTEN,
                                   addr_text(&l->addr, text));

    diag_add(d, DIAG_ERROR, where, hint, "%s", message);
    free(hint);
}

/* Where connections are redirected to, they may come by TPROXY. A socket that was made so for
   an earlier edition stays so: without a rule of nftables it makes no difference. */
static void be_transparent(const struct point *p, const struct conf_listener *l, struct diags *d)
{
    bool wanted = false;

    for (size_t i = 0; i < l->nroutes; i++)
        wanted = wanted || l->routes[i]->transparent;
    for (size_t i = 0; wanted && i < p->nfds; i++)
        if (!sock_be_transparent(p->fds[i])) {
            complain(d, DIAG_WARNING, l,
                     "without CAP_NET_ADMIN the kernel hands out no connections by TPROXY",
                     "start it as root, or redirect connections with REDIRECT alone");
            return;
        }
}

struct listen_set *listen_set_open(const struct listen_set *running, const struct conf *c,
                                   size_t nworkers, struct diags *d)
{
    struct listen_set *s = mem_zalloc(sizeof(*s));
    bool ok = true;

    s->n = c->nlisteners;
    s->nworkers = nworkers;
    s->points = mem_zalloc(s->n * sizeof(struct point *));
    s->is_new = mem_zalloc(s->n * sizeof(bool));
    s->fds = mem_zalloc(nworkers * sizeof(int *));
    for (size_t w = 0; w < nworkers; w++)
        s->fds[w] = mem_zalloc(s->n * sizeof(int));

    for (size_t i = 0; i < s->n; i++) {
        const struct conf_listener *l = c->listeners[i];
        struct err e = ERR_INIT;
        struct point *p = shared(running, &l->addr);
        s->is_new[i] = p == NULL;
        if (p == NULL)
            p = point_open(&l->addr, nworkers, &e);
        s->points[i] = p;
        if (p == NULL) {
            if (addr_is_systemd(&l->addr))
                complain_of_systemds(d, l, e.text);
            else
                complain(d, DIAG_ERROR, l, e.text, hint_for(errno));
            ok = false;
            continue;
        }
        be_transparent(p, l, d);
        for (size_t w = 0; w < nworkers; w++)
            s->fds[w][i] = p->fds[p->nfds == 1 ? 0 : w];
    }
    if (ok)
        return s;
    listen_set_free(s);
    return NULL;
}

void listen_set_free(struct listen_set *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->n; i++)
        point_unref(s->points[i]);
    for (size_t w = 0; w < s->nworkers; w++)
        free(s->fds[w]);
    free(s->fds);
    free(s->points);
    free(s->is_new);
    free(s);
}

const int *listen_set_fds(const struct listen_set *s, size_t worker)
{
    return s->fds[worker];
}

size_t listen_set_count(const struct listen_set *s)
{
    return s->n;
}

const struct addr *listen_set_addr(const struct listen_set *s, size_t i)
{
    return &s->points[i]->bound;
}

void listen_set_each(const struct listen_set *s,
                     void (*fn)(void *arg, const char *key, int fd), void *arg)
{
    char key[ADDR_TEXT_MAX];

    for (size_t i = 0; i < s->n; i++) {
        const struct point *p = s->points[i];
        for (size_t k = 0; k < p->nfds && !addr_is_systemd(&p->wanted); k++)
            fn(arg, addr_text(&p->wanted, key), p->fds[k]);
    }
}

bool listen_set_is_new(const struct listen_set *s, size_t i)
{
    return s->is_new[i];
}
