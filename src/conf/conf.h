/*
 * conf: the configuration as plain data, every field with where it was set.
 *
 * Made from settings by the key table (keys.tbl): one row a key. Knows no OpenSSL
 * and opens no socket; what only those can judge (a cipher list, a certificate)
 * is text here and judged by who builds it, with conf_at() to say where it stood.
 * Defaults are filled in; references between sections are checked.
 */
#ifndef SALLYPORT_CONF_CONF_H
#define SALLYPORT_CONF_CONF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/diag.h"
#include "base/log.h"
#include "conf/settings.h"

#define CONF_WORKERS_AUTO UINT32_MAX

enum conf_key {                 /* KEY_ROUTE_CLIENT_AUTH …: one a row of keys.tbl */
#define KEY(SECTION, section, KEYNAME, ...) KEY_##SECTION##_##KEYNAME,
#include "conf/keys.tbl"
#undef KEY
    KEY_COUNT
};

struct conf_strs {
    char **v;
    size_t n;
};

struct conf_addrs {
    struct addr *v;
    size_t n;
};

/* A rule on a client's certificate: one value of allow or deny. */
enum conf_rule_kind {
    RULE_CN, RULE_OU, RULE_O, RULE_DNS, RULE_URI, RULE_IP, RULE_EMAIL, RULE_SERIAL, RULE_SHA256,
    RULE_KIND_COUNT
};

struct conf_rule {
    int kind;                   /* enum conf_rule_kind */
    char *written;              /* "cn:retired-*" */
    char *pattern;              /* as it is compared (proxy/policy.h) */
    struct cidr net;            /* of RULE_IP */
    struct origin at;
};

struct conf_rules {
    struct conf_rule *v;
    size_t n;
};

/* What every section object begins with. */
struct conf_head {
    const char *section;        /* "route" */
    char *name;                 /* "" for [proxy] */
    size_t index;               /* its place in the list of its kind */
    char *title;                /* both, as findings show them: "route cql" */
    struct origin at;           /* its [head], or where it was first mentioned */
    struct origin set[KEY_COUNT]; /* per key; file NULL: the default is in force */
};

/* One value of `server`. */
struct conf_server {
    char *written;              /* as it is named: "127.0.0.1:9042", "cassandra.example:9042" */
    char *host;                 /* of a name that has to be resolved; NULL: addr is it */
    uint16_t port;              /* of that name */
    struct addr addr;           /* empty for a name */
    struct origin at;
};

struct conf_servers {
    struct conf_server *v;
    size_t n;
    /* Either stands alone. */
    bool builtin_page;          /* server = builtin:page */
    bool original;              /* server = original: where a redirected client wanted to go */
    uint16_t original_port;     /* … but to this port there; 0: to that one */
};

enum conf_check_kind {
    CHECK_OFF, CHECK_AUTO, CHECK_TCP, CHECK_TLS, CHECK_HTTP, CHECK_CQL, CHECK_GRPC,
    CHECK_ZOOKEEPER, CHECK_DASK
};

#define CHECK_PATH_MAX 500u

struct conf_check {
    int kind;                   /* enum conf_check_kind */
    char *path;                 /* of CHECK_HTTP: "/healthz"; NULL for the others */
};

enum conf_reload { RELOAD_WATCH, RELOAD_SIGNAL };
enum conf_sandbox { SANDBOX_AUTO, SANDBOX_REQUIRE, SANDBOX_OFF };
enum conf_expired { EXPIRED_REFUSE, EXPIRED_SERVE };
enum conf_client_auth { CLIENT_AUTH_NONE, CLIENT_AUTH_REQUEST, CLIENT_AUTH_REQUIRE };
enum conf_tickets { TICKETS_AUTO, TICKETS_ON, TICKETS_OFF };
enum conf_unknown_sni { UNKNOWN_SNI_DEFAULT, UNKNOWN_SNI_REJECT };
enum conf_proxy_protocol { PROXY_OFF, PROXY_V1, PROXY_V2 };
enum conf_on_expiry { ON_EXPIRY_CLOSE, ON_EXPIRY_KEEP };
enum conf_on_down { ON_DOWN_KEEP, ON_DOWN_CLOSE };
enum conf_balance { BALANCE_ROUND_ROBIN, BALANCE_LEAST, BALANCE_SOURCE, BALANCE_FIRST };
enum conf_mode { MODE_TERMINATE, MODE_ORIGINATE, MODE_BRIDGE };
enum conf_tls_verify { VERIFY_FULL, VERIFY_CHAIN, VERIFY_OFF };
enum conf_protocol { PROTO_TLS10 = 1, PROTO_TLS11 = 2, PROTO_TLS12 = 4, PROTO_TLS13 = 8 };

struct conf_proxy {
    struct conf_head head;
    uint32_t workers;           /* CONF_WORKERS_AUTO, 0 = foreground, or a number */
    char *user;                 /* a name, or a number */
    char *log;                  /* "stdout", "stderr", "syslog" or a path (it has a slash) */
    int log_format;             /* enum log_format */
    int log_level;              /* enum log_level */
    bool access_log;
    uint64_t sum_failures_ms;
    uint64_t drain_timeout_ms;
    int reload;                 /* enum conf_reload */
    int sandbox;                /* enum conf_sandbox */
    struct conf_addrs resolver; /* empty: the system's name servers */
    struct conf_strs ticket_keys;   /* at most one path */
    struct conf_addrs admin;    /* may be empty: no endpoints, and no monitor */
};

struct conf_store {
    struct conf_head head;
    struct conf_strs cert;      /* paths, resolved against the file that named them */
    struct conf_strs key;       /* may be empty: the keys are in the cert files */
    struct conf_strs dir;       /* folders of pairs, instead of both */
    char *password_file;        /* NULL, a path, "fd:N" or "env:NAME" */
    char *key_password_file;    /* the same */
    char *alias;                /* of the keystore's entry; NULL: its only key */
    int expired;                /* enum conf_expired */
    uint64_t wait_files_ms;     /* 0: the start does not wait */
    bool for_clients, for_servers;      /* who is shown it: those of routes, those of upstreams */
    uint64_t warn_before_ms;
};

struct conf_trust {
    struct conf_head head;
    struct conf_strs ca;        /* paths */
    char *password_file;        /* as in a store */
    struct conf_strs crl;       /* paths */
    uint32_t depth;
    uint64_t warn_before_ms;
};

struct conf_listener {          /* its name is the address */
    struct conf_head head;
    struct addr addr;
    struct conf_route **routes; /* that listen there, in the order of the file; at least one */
    size_t nroutes;
    uint64_t handshake_timeout_ms;
    int unknown_sni;            /* enum conf_unknown_sni */
    struct conf_strs accept_proxy_from; /* networks; none: nobody sends PROXY headers */
    uint32_t max_connections, max_connections_per_ip, handshake_rate_per_ip;    /* 0: no limit */
};

struct conf_route {
    struct conf_head head;
    int mode;                   /* enum conf_mode */
    struct conf_addrs listen;
    struct conf_strs sni;       /* folded (base/names.h); none: any name, and no name */
    struct conf_strs alpn;
    struct conf_store *store;   /* NULL exactly when the mode is originate */
    int client_auth;            /* enum conf_client_auth, resolved */
    struct conf_trust *trust;   /* NULL exactly when client_auth is none */
    struct conf_rules allow, deny;      /* none exactly when client_auth is none */
    struct conf_upstream *upstream;
    unsigned protocols;         /* set of enum conf_protocol */
    char *ciphers, *ciphersuites, *groups;   /* NULL: ours (tls/ctx.c) */
    int session_tickets;        /* enum conf_tickets */
    uint64_t idle_timeout_ms;   /* 0: none */
    int on_expiry;              /* enum conf_on_expiry */
    struct conf_strs plaintext_from;    /* networks */
    bool transparent;           /* its connections are redirected: their upstream is `original` */
    char *preset;               /* its name; what it says is in the other fields. NULL: none */
};

/* One that a route named by address, without a section, has that text for its name:
   a name never has a colon, an address always has. */
struct conf_upstream {
    struct conf_head head;
    struct conf_servers servers;
    int balance;                /* enum conf_balance */
    uint32_t retries;           /* other servers that are tried */
    uint64_t connect_timeout_ms;
    struct conf_check check;
    uint64_t check_interval_ms, check_timeout_ms;
    uint32_t rise, fall;
    int on_down;                /* enum conf_on_down */
    int proxy_protocol;         /* enum conf_proxy_protocol */
    bool proxy_tlvs;
    struct conf_strs plaintext_to;
    bool tls;                   /* the server speaks TLS: its routes originate or bridge */
    struct conf_trust *tls_trust;       /* NULL exactly when it is off below, or tls is */
    struct conf_store *tls_store;       /* NULL: no certificate is shown */
    int tls_verify;             /* enum conf_tls_verify */
    char *tls_name;             /* folded; or an address. NULL: the server's, as it is written */
    char *tls_sni;              /* folded; NULL: that name, if it is no address */
    struct conf_rules tls_allow;
    struct conf_rules tls_pin;  /* of RULE_SHA256 alone */
    struct conf_strs tls_alpn;
    unsigned tls_protocols;     /* set of enum conf_protocol */
};

struct conf {
    struct conf_proxy proxy;
    struct conf_store **stores;         size_t nstores;
    struct conf_trust **trusts;         size_t ntrusts;
    struct conf_listener **listeners;   size_t nlisteners;   /* of each address routes use */
    struct conf_route **routes;         size_t nroutes;
    struct conf_upstream **upstreams;   size_t nupstreams;
    char **origins;                     size_t norigins;     /* what the origins point at */
};

/*
 * Settings to configuration. Findings go to d; NULL if any is an error. Later
 * settings win over earlier ones for keys of [proxy] from different origins (the
 * command line comes after the environment, after the file); a scalar key given
 * twice in one file is an error.
 */
struct conf *conf_build(const struct settings *s, struct diags *d);
void conf_free(struct conf *c);

/*
 * For a finding about one key of a section: where it was set, or where the section
 * begins. A key that came from a flag or a variable goes by that name, for its
 * user never saw a section. Strings are the conf's; `value` may be NULL.
 */
struct diag_at conf_at(const struct conf_head *h, enum conf_key key, const char *value);

/* The word of a rule's kind: "cn"; static. */
const char *conf_rule_word(int kind);

/* A list of networks that was accepted before, to match with; nets_free(). */
struct nets conf_nets(const struct conf_strs *written);

/* The listener settings for an address; never NULL for one a route listens on. */
const struct conf_listener *conf_listener_for(const struct conf *c, const struct addr *a);

/* Who takes a connection to an address: its listener, else one that stands for all addresses of
   the kind; NULL: nobody. */
const struct conf_listener *conf_listener_reached(const struct conf *c, const struct addr *a);

/* Does plaintext come in by this route alone, or TLS? And goes it on as TLS? */
static inline bool conf_takes_tls(const struct conf_route *r)
{
    return r->mode != MODE_ORIGINATE;
}

static inline bool conf_dials_tls(const struct conf_route *r)
{
    return r->mode != MODE_TERMINATE;
}

/* How its servers are checked when it has so many addresses: never CHECK_AUTO. */
int conf_check_kind(const struct conf_upstream *u, size_t naddrs);

/* Somebody has to resolve a name of it, or may have to check a server. */
bool conf_is_watched(const struct conf_upstream *u);

/* The configuration in force, in the file's own syntax; each key says where it was set. */
void conf_dump(const struct conf *c, FILE *out);

/* Keys flagged "restart" that differ between the two: a warning each. */
void conf_warn_restart(const struct conf *running, const struct conf *next, struct diags *d);

#endif
