/* What the files of health share: health.c has the servers and their checks, health_names.c
   their names, health_log.c what is said of both. */
#ifndef SALLYPORT_APP_HEALTH_PARTS_H
#define SALLYPORT_APP_HEALTH_PARTS_H

#include "app/health.h"
#include "app/knock.h"
#include "app/vitals.h"
#include "base/addr.h"
#include "net/resolve.h"

#define HEALTH_WHY_MAX 120

struct server;

/* One address of a server. */
struct target {
    struct server *server;
    struct addr addr;
    struct vitals vitals;
    struct loop_timer *timer;   /* until it is checked (again); NULL before the first check */
    struct knock *knock;        /* a check under way */
    bool waiting;               /* the timer is set */
    bool session;               /* knock.h */
    unsigned failures;          /* since it went down */
    uint64_t down_us;
    uint64_t since_us;          /* by the clock on the wall: as it is now since then */
    char why[HEALTH_WHY_MAX];   /* it is down; "" otherwise */
};

struct server {
    struct group *group;
    const struct conf_server *conf;
    char *written;
    struct resolve_name *name;  /* NULL: it has none, or nobody can be asked */
    struct target **targets;
    size_t n;
    unsigned failures;          /* of its name, in a row */
    uint64_t failing_us;
};

/* An [upstream]. */
struct group {
    struct health *health;
    char *name;
    const struct conf_upstream *conf;
    struct nets plaintext_to;
    int kind;                   /* of its checks; CHECK_OFF: there are none */
    struct server **servers;
    size_t n;
    struct tls_client *tls;     /* NULL: plaintext */
};

struct health {
    struct loop *loop;
    health_fn *changed;
    void *arg;
    struct conf *conf;          /* NULL before the first */
    struct group **groups;
    size_t n;
    int dialler;                /* -1: none */
    struct resolver *resolver;  /* NULL: no name needs it, or it failed */
    uint64_t chance;
    struct loop_task tell;
};

/* --- health.c --- */

/* These are its addresses now; what is known of one that it had stays. */
void health_set_targets(struct server *s, const struct addr *v, size_t n);

/* See to it that each of its targets is checked when it is due, or not at all. */
void health_arm(struct group *g);

/* May an address of its name be gone to? */
bool health_may_knock(const struct server *s, const struct addr *a);

/* Tell the owner, at the end of the turn. */
void health_news(struct health *h);

/* --- health_names.c --- */

/* Whoever is to be asked for names, by h->conf: made, or made anew. 0 or -1 and e. */
int health_resolver(struct health *h, const struct conf *before, struct err *e);

/* Ask for its name, if it has one and that is not done already. */
void health_ask(struct server *s);

/* --- health_log.c --- */

void health_log_state(const struct target *t, const char *why);     /* it went down, or up */
void health_log_addresses(const struct server *s, const char *message, const struct addr *before,
                          size_t nbefore);
void health_log_unresolved(const struct server *s, const char *why);
void health_log_resolved(const struct server *s, unsigned failures);
/* Addresses of a name that plaintext_to keeps connections from. */
void health_log_forbidden(const struct server *s);

#endif
