#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/admin_client.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/watch_screen.h"

#define PATIENCE_S 10u
#define AGAIN_MS 2000

static const struct option_rules rules = {
    .verb = "status",
    .args = "",
    .summary =
        "Says how the running sallyport is: what is in force since when, how the last reload\n"
        "ended and why, its routes with connections, bytes and refusals, its servers, and its\n"
        "certificates with the days that are left. Finds it by --admin, or by [proxy] admin of\n"
        "the configuration, of which nothing else is looked at.\n"
        "\n"
        "Exit code 0: it is ready for connections, as /readyz says. 1: it is not, or nobody could\n"
        "be asked. 2: wrong usage.",
    .configuration = true,
    .json = true,
    .watch = true,
};

/* The text, the caller's; NULL with a finding. */
static char *fetch(const struct addr *to, bool json, struct diags *d)
{
    struct admin_answer a = { 0 };

    if (admin_client_ask(to, "GET", json ? "/status.json" : "/", PATIENCE_S, &a, d) != 0)
        return NULL;
    if (a.status == 200)
        return a.body;
    diag_add(d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "it answered %u: %s", a.status, a.body);
    free(a.body);
    return NULL;
}

static bool is_ready(const struct addr *to, struct diags *d)
{
    struct admin_answer a = { 0 };
    int rc = admin_client_ask(to, "GET", "/readyz", PATIENCE_S, &a, d);

    free(a.body);
    return rc == 0 && a.status == 200;
}

static int once(const struct addr *to, bool json, struct diags *d)
{
    char *text = fetch(to, json, d);

    if (text == NULL)
        return EXIT_FAILED;
    fputs(text, stdout);
    free(text);
    return is_ready(to, d) ? EXIT_OK : EXIT_FAILED;
}

static char *findings_text(struct diags *d)
{
    char *text = mem_strdup("");

    for (size_t i = 0; i < d->n; i++) {
        char *line = diag_text(&d->v[i]);
        text = mem_join(text, "\n", line);
        free(line);
    }
    diags_free(d);
    return mem_join(text, "\n", "");
}

/* Whoever watches also wants to see it come back. */
static int watch(const struct addr *to, bool json)
{
    struct watch_screen *w = watch_screen_open();

    do {
        struct diags d = { 0 };
        char *text = fetch(to, json, &d);
        if (text == NULL)
            text = findings_text(&d);
        watch_screen_show(w, text);
        free(text);
    } while (watch_screen_wait(w, AGAIN_MS));
    watch_screen_close(w);
    return EXIT_OK;
}

int cmd_status(int argc, char **argv)
{
    struct invocation inv;
    struct diags d = { 0 };
    struct addr to;
    int rc = options_parse(argc, argv, &rules, &inv);

    if (rc >= 0)
        return rc;
    rc = EXIT_FAILED;
    if (admin_client_find(&inv, true, &to, &d) == 0)
        rc = inv.watch ? watch(&to, inv.json) : once(&to, inv.json, &d);
    diags_print(&d, stderr);
    diags_free(&d);
    invocation_free(&inv);
    return rc;
}
