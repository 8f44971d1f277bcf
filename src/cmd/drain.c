#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cmd/admin_client.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "conf/schema.h"

static const struct option_rules rules = {
    .verb = "drain",
    .args = "",
    .summary =
        "Lets the running sallyport end in order, as TERM does, and waits until it has: it\n"
        "takes no new connections, closes those that are quiet one after the other, and gives\n"
        "the others until drain_timeout, or --drain-timeout given here, is over. Finds it by\n"
        "--admin, or by [proxy] admin of the configuration, of which nothing else is looked at.\n"
        "\n"
        "Exit code 0: it has ended, and no connection was cut. 1: some were, and their number\n"
        "is said; or nobody could be asked. 2: wrong usage.",
    .configuration = true,
};

/* What --drain-timeout or its variable says; NULL: nothing. */
static const struct setting *given_timeout(const struct settings *s)
{
    const char *key = conf_keys[KEY_PROXY_DRAIN_TIMEOUT].key;

    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].key != NULL && strcmp(s->v[i].section, conf_sections[SECTION_PROXY]) == 0
            && strcmp(s->v[i].key, key) == 0)
            return &s->v[i];
    return NULL;
}

/* The caller's; NULL with a finding. */
static char *request_path(const struct settings *s, struct diags *d)
{
    const struct key_row *row = &conf_keys[KEY_PROXY_DRAIN_TIMEOUT];
    const struct setting *t = given_timeout(s);
    uint64_t ms;

    if (t == NULL)
        return mem_strdup("/drain");
    if (duration_parse(str_span(t->value), &ms) && ms <= row->max)
        return mem_printf("/drain?timeout=%llums", (unsigned long long)ms);
    diag_add(d, DIAG_ERROR, (struct diag_at){ { t->file, t->line }, NULL, row->flag, t->value },
             NULL, "not a duration of at most 1d, such as 10s");
    return NULL;
}

int cmd_drain(int argc, char **argv)
{
    struct invocation inv;
    struct diags d = { 0 };
    int rc = options_parse(argc, argv, &rules, &inv);

    if (rc >= 0)
        return rc;
    char *path = request_path(&inv.overrides, &d);
    rc = path != NULL ? admin_client_post(&inv, path, 0) : EXIT_FAILED;
    diags_print(&d, stderr);
    free(path);
    diags_free(&d);
    invocation_free(&inv);
    return rc;
}
