/*
 * sallyport tunnel: TLS in front of something on this machine, now.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/master.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/tunnel_certs.h"
#include "cmd/tunnel_names.h"
#include "conf/settings.h"

#define DEFAULT_LISTEN "127.0.0.1:8443"
#define PAGE "builtin:page"

static const struct option_rules rules = {
    .verb = "tunnel",
    .args = "[LISTEN] [UPSTREAM]",
    .summary =
        "For development: makes a CA and a certificate that live as long as the command,\n"
        "listens with TLS, passes everything on in plaintext, and prints the one line that\n"
        "trusts it. Ctrl-C ends it; nothing stays behind.\n"
        "\n"
        "  LISTEN    address or port to listen on (default " DEFAULT_LISTEN ")\n"
        "  UPSTREAM  address or port of a plaintext service (default " PAGE ", which\n"
        "            shows what sallyport knows of the connection)\n"
        "\n"
        "An address is 127.0.0.1:8443, [::1]:8443, localhost:8443 or unix:/path; a port alone\n"
        "is one of 127.0.0.1, and port 0 any free one. The CA is good for this host's names\n"
        "only, and for 7 days. Clients may show the certificate that is printed; none has to.\n"
        "\n"
        "  sallyport tunnel 8443 3000      plaintext on port 3000 is https://localhost:8443/",
    .max_args = 2,
};

struct tunnel {
    char *listen, *upstream;
    const struct settings *flags;   /* of [proxy] */
    struct tunnel_certs certs;
    bool started;
};

/* --- what it prints --- */

static void print_commands(const struct tunnel *t, const char *target)
{
    const char *ca = t->certs.ca_path, *client = t->certs.client_path;

    printf("  curl --cacert %s https://%s/\n", ca, target);
    if (strcmp(t->upstream, PAGE) != 0)
        printf("  openssl s_client -connect %s -CAfile %s -verify_return_error -quiet\n",
               target, ca);
    printf("\nWith a client certificate:\n\n"
           "  curl --cacert %s --cert %s https://%s/\n", ca, client, target);
}

static void print_unix_commands(const struct tunnel *t, const char *path)
{
    const char *ca = t->certs.ca_path, *client = t->certs.client_path;

    printf("  curl --cacert %s --unix-socket %s https://localhost/\n", ca, path);
    if (strcmp(t->upstream, PAGE) != 0)
        printf("  openssl s_client -unix %s -CAfile %s -verify_return_error -quiet\n", path, ca);
    printf("\nWith a client certificate:\n\n"
           "  curl --cacert %s --cert %s --unix-socket %s https://localhost/\n", ca, client, path);
}

static bool on_started(void *arg, const struct listen_set *where)
{
    struct tunnel *t = arg;
    const struct addr *bound = listen_set_addr(where, 0);
    char text[ADDR_TEXT_MAX], target[TUNNEL_TARGET_MAX];
    struct err e = ERR_INIT;

    if (tunnel_certs_write(&t->certs, &e) != 0) {
        fprintf(stderr, "sallyport: %s\n", e.text);
        return false;
    }
    t->started = true;
    printf("TLS on %s, passed on to %s. Trust its CA, %s:\n\n", addr_text(bound, text), t->upstream,
           t->certs.ca_path);
    if (bound->u.sa.sa_family == AF_UNIX)
        print_unix_commands(t, bound->u.un.sun_path);
    else
        print_commands(t, tunnel_target(bound, target));
    printf("\nCtrl-C ends it and removes the files.\n");
    fflush(stdout);
    return true;
}

/* --- what it runs --- */

static void set(struct settings *s, const char *section, const char *name, const char *key,
                const char *value)
{
    settings_add(s, section, name, key, value, (struct origin){ "tunnel", 0 });
}

static void fill_settings(const struct tunnel *t, struct settings *s)
{
    set(s, "proxy", "", "workers", "1");
    set(s, "proxy", "", "log", "stderr");
    set(s, "proxy", "", "drain_timeout", "2s");
    if (geteuid() == 0)         /* nobody needs to have installed anything for this */
        set(s, "proxy", "", "user", "65534");
    set(s, "store", "tunnel", "cert", "memory:server.pem");
    set(s, "trust", "tunnel", "ca", "memory:ca.pem");
    set(s, "upstream", "tunnel", "server", t->upstream);
    set(s, "route", "tunnel", "listen", t->listen);
    set(s, "route", "tunnel", "store", "tunnel");
    set(s, "route", "tunnel", "trust", "tunnel");
    set(s, "route", "tunnel", "client_auth", "request");
    set(s, "route", "tunnel", "upstream", "tunnel");
    settings_append(s, t->flags);
}

static int run(struct tunnel *t)
{
    struct settings s = { 0 };
    struct mem_file files[] = {
        { "memory:server.pem", t->certs.server_pem, strlen(t->certs.server_pem) },
        { "memory:ca.pem", t->certs.ca_pem, strlen(t->certs.ca_pem) },
    };
    struct load_plan plan = {
        .overrides = &s, .files = files, .nfiles = sizeof(files) / sizeof(files[0])
    };
    struct master_hooks hooks = { .started = on_started, .arg = t, .hangup_ends = true };

    fill_settings(t, &s);
    int code = master_run(&plan, &hooks);
    settings_free(&s);
    /* Being told to end is how it ends: that connections were open then is no failure. */
    return t->started ? EXIT_OK : code;
}

/* --- its arguments --- */

/* A port alone is one of this host. */
static char *address(const char *arg)
{
    uint64_t port;

    if (str_u64(str_span(arg), 65535, &port))
        return mem_printf("127.0.0.1:%s", arg);
    return mem_strdup(arg);
}

static int start(struct tunnel *t)
{
    struct tunnel_names names;
    struct addr listen;
    struct err e = ERR_INIT;

    if (addr_parse(str_span(t->listen), &listen, &e) != 0) {
        fprintf(stderr, "sallyport tunnel: LISTEN \"%s\": %s\n", t->listen, e.text);
        return EXIT_USAGE;
    }
    tunnel_names_for(&listen, &names);
    int rc = tunnel_certs_make(&names, &t->certs, &e);
    tunnel_names_free(&names);
    if (rc != 0) {
        fprintf(stderr, "sallyport tunnel: %s\n", e.text);
        return EXIT_FAILED;
    }
    return run(t);
}

int cmd_tunnel(int argc, char **argv)
{
    struct invocation inv;
    int code = options_parse(argc, argv, &rules, &inv);

    if (code >= 0)
        return code;

    struct tunnel t = {
        .listen = address(inv.nargs > 0 ? inv.args[0] : DEFAULT_LISTEN),
        .upstream = address(inv.nargs > 1 ? inv.args[1] : PAGE),
        .flags = &inv.overrides,
    };
    code = start(&t);
    tunnel_certs_free(&t.certs);
    free(t.listen);
    free(t.upstream);
    invocation_free(&inv);
    return code;
}
