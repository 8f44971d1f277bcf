#include "app/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/caps.h"
#include "app/sandbox_parts.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uri.h"
#include "tls/ctx.h"

/* Sanitizers read files and start threads when they please, to trace the process among others. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) \
    || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define DNS_PORT 53

/* --- what a configuration needs --- */

static void add_port(struct sandbox *s, uint16_t port)
{
    s->ports = mem_grow(s->ports, s->nports + 1, sizeof(s->ports[0]));
    s->ports[s->nports++] = port;
}

static int by_number(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

static void sort_ports(struct sandbox *s)
{
    size_t n = 0;

    if (s->nports > 0)
        qsort(s->ports, s->nports, sizeof(s->ports[0]), by_number);
    for (size_t i = 0; i < s->nports; i++)
        if (i == 0 || s->ports[i] != s->ports[i - 1])
            s->ports[n++] = s->ports[i];
    s->nports = n;
}

static void add_servers(struct sandbox *s, const struct conf_servers *v)
{
    if (v->original && v->original_port == 0)
        s->any_port = true;
    else if (v->original)
        add_port(s, v->original_port);
    for (size_t i = 0; i < v->n; i++) {
        uint16_t port = v->v[i].host != NULL ? v->v[i].port : addr_port(&v->v[i].addr);
        if (port != 0)
            add_port(s, port);
    }
}

static bool has_token(const struct conf *c)
{
    for (size_t i = 0; i < c->nstores; i++)
        for (size_t k = 0; k < c->stores[i]->key.n; k++) {
            struct span key = str_span(c->stores[i]->key.v[k]);
            if (uri_scheme(key) > 0 && !uri_has_scheme(key, "file"))
                return true;
        }
    return false;
}

/* password_file = env:NAME */
static void add_variable(struct sandbox *s, const char *spec)
{
    if (spec == NULL || strncmp(spec, "env:", 4) != 0)
        return;
    s->variables = mem_grow(s->variables, s->nvariables + 1, sizeof(s->variables[0]));
    s->variables[s->nvariables++] = mem_strdup(spec + 4);
}

static void add_variables(struct sandbox *s, const struct conf *c)
{
    for (size_t i = 0; i < c->nstores; i++) {
        add_variable(s, c->stores[i]->password_file);
        add_variable(s, c->stores[i]->key_password_file);
    }
    for (size_t i = 0; i < c->ntrusts; i++)
        add_variable(s, c->trusts[i]->password_file);
}

struct sandbox sandbox_plan(const struct conf *c)
{
    struct sandbox s = { .mode = c->proxy.sandbox, .tokens = has_token(c) };

    for (size_t i = 0; i < c->nupstreams; i++)
        add_servers(&s, &c->upstreams[i]->servers);
    for (size_t i = 0; i < c->proxy.resolver.n; i++)
        add_port(&s, addr_port(&c->proxy.resolver.v[i]));
    add_port(&s, DNS_PORT);
    sort_ports(&s);
    add_variables(&s, c);
    return s;
}

void sandbox_free(struct sandbox *s)
{
    free(s->ports);
    for (size_t i = 0; i < s->nvariables; i++)
        free(s->variables[i]);
    free(s->variables);
    *s = (struct sandbox){ 0 };
}

static bool has_port(const struct sandbox *s, uint16_t port)
{
    return s->nports > 0
        && bsearch(&port, s->ports, s->nports, sizeof(s->ports[0]), by_number) != NULL;
}

bool sandbox_covers(const struct sandbox *s, const struct sandbox *next)
{
    if (s->any_port || next->any_port)
        return s->any_port;
    for (size_t i = 0; i < next->nports; i++)
        if (!has_port(s, next->ports[i]))
            return false;
    return true;
}

void sandbox_widen(struct sandbox *s, const struct sandbox *other)
{
    s->any_port |= other->any_port;
    for (size_t i = 0; i < other->nports; i++)
        add_port(s, other->ports[i]);
    sort_ports(s);
}

void sandbox_narrow(struct sandbox *s, const struct sandbox *other)
{
    size_t n = 0;

    if (other->any_port)
        return;
    if (s->any_port) {
        s->any_port = false;
        s->nports = 0;
        sandbox_widen(s, other);
        return;
    }
    for (size_t i = 0; i < s->nports; i++)
        if (has_port(other, s->ports[i]))
            s->ports[n++] = s->ports[i];
    s->nports = n;
}

/* --- what can be had --- */

/* In words, and how to get it; NULL when all of it is there. */
static const char *missing(const char **hint)
{
    int landlock = sandbox_landlock_version();

    *hint = "Linux 6.7 or newer has it, unless it was left out or switched off (boot with "
            "lsm=landlock,…), or a container forbids it; sandbox = auto takes what there is";
    if (SANITIZED) {
        *hint = "build it without sanitizers, or write sandbox = off";
        return "a build with sanitizers cannot be confined";
    }
    if (landlock < LANDLOCK_FILES)
        return "this system has no Landlock: files and ports cannot be confined";
    if (landlock < LANDLOCK_PORTS)
        return "the Landlock of this system does not know ports";
    if (!sandbox_calls_known()) {
        *hint = "build it with libseccomp, and let no container forbid seccomp(); sandbox = auto "
                "takes what there is";
        return "system calls cannot be filtered";
    }
    return NULL;
}

void sandbox_judge(const struct conf_proxy *p, struct diags *d)
{
    const char *hint, *why = missing(&hint);

    if (p->sandbox != SANDBOX_REQUIRE)
        return;
    if (p->workers == 0) {
        why = "workers = 0 is one process that reads files and serves clients: it has no sandbox";
        hint = "workers = 1, or sandbox = auto";
    }
    if (why != NULL)
        diag_add(d, DIAG_ERROR, conf_at(&p->head, KEY_PROXY_SANDBOX, "require"), hint, "%s", why);
}

/* --- entering --- */

static int fail(const struct sandbox *s, struct err *e)
{
    if (s->mode == SANDBOX_REQUIRE)
        return err_wrap(e, "the sandbox");
    log_warn("the sandbox: %s; it goes on without", e->text);
    return 0;
}

static void forget_passwords(const struct sandbox *s)
{
    for (size_t i = 0; i < s->nvariables; i++) {
        char *value = getenv(s->variables[i]);
        if (value != NULL)
            explicit_bzero(value, strlen(value));
    }
}

int sandbox_enter(const struct sandbox *s, enum sandbox_role role, struct err *e)
{
    bool wide = s->tokens && (role == SANDBOX_WORKER || role == SANDBOX_LOADER);

    if (role != SANDBOX_LOADER)
        forget_passwords(s);
    if (caps_drop(role == SANDBOX_LOADER, s->tokens, e) != 0 && fail(s, e) != 0)
        return -1;
    if (s->mode == SANDBOX_OFF || SANITIZED)
        return 0;
    tzset();
    tls_ready();
    if (!wide && sandbox_landlock_enter(s, role, e) != 0 && fail(s, e) != 0)
        return -1;
    if (sandbox_calls_enter(s, role, e) != 0 && fail(s, e) != 0)
        return -1;
    return 0;
}

/* --- telling --- */

static const char *held(bool yes)
{
    return yes ? "held" : "free";
}

void sandbox_log(const struct conf *c)
{
    struct sandbox s = sandbox_plan(c);
    const char *hint, *why = missing(&hint);
    int landlock = sandbox_landlock_version();
    bool off = s.mode == SANDBOX_OFF || SANITIZED || c->proxy.workers == 0;
    struct logline l;

    logline_begin(&l, LOG_LEVEL_INFO, off           ? "workers are in no sandbox"
                                      : why != NULL ? "workers are in a part of the sandbox"
                                                    : "workers are in the sandbox");
    logline_str(&l, "files", held(!off && !s.tokens && (landlock > 0 || sandbox_calls_known())));
    logline_str(&l, "ports",
                held(!off && !s.tokens && !s.any_port && landlock >= LANDLOCK_PORTS));
    logline_str(&l, "calls", held(!off && sandbox_calls_known()));
    logline_u64(&l, "landlock", (uint64_t)landlock);
    if (s.mode == SANDBOX_OFF)
        why = "sandbox = off";
    else if (c->proxy.workers == 0)
        why = "workers = 0";
    else if (why == NULL && s.tokens)
        why = "keys in tokens";
    if (why != NULL)
        logline_str(&l, "because", why);
    logline_end(&l);
    sandbox_free(&s);
}
