#include <stdio.h>

#include "app/loader.h"
#include "app/privs.h"
#include "cmd/cmd.h"
#include "cmd/options.h"

static const struct option_rules rules = {
    .verb = "check",
    .args = "",
    .summary = "Reads the configuration and every file it names exactly as serve would, and says\n"
               "what is wrong with it and how to mend it. Exit code 0: good (there may be\n"
               "warnings), 1: bad.",
    .configuration = true,
    .json = true,
};

static void print_text(const struct diags *d, const char *what, bool good)
{
    size_t warnings = 0;

    for (size_t i = 0; i < d->n; i++)
        warnings += d->v[i].level == DIAG_WARNING;
    diags_print(d, stdout);
    printf("%s: %s", what, good ? "good" : "bad");
    if (d->errors > 0)
        printf(", %zu error%s", d->errors, d->errors == 1 ? "" : "s");
    if (warnings > 0)
        printf(", %zu warning%s", warnings, warnings == 1 ? "" : "s");
    putchar('\n');
}

int cmd_check(int argc, char **argv)
{
    struct invocation inv;
    struct diags d = { 0 };
    int rc = options_parse(argc, argv, &rules, &inv);

    if (rc >= 0)
        return rc;

    struct load_plan plan = { .config_path = inv.config_path, .overrides = &inv.overrides,
                             .check = true };
    privs_harden();             /* keys and passwords are about to be read */
    struct bundle *b = loader_build(&plan, &d);
    bool good = b != NULL && d.errors == 0;
    bundle_free(b);

    if (inv.json)
        diags_print_json(&d, stdout);
    else
        print_text(&d, inv.config_path ? inv.config_path : ORIGIN_COMMAND_LINE, good);
    diags_free(&d);
    invocation_free(&inv);
    return good ? EXIT_OK : EXIT_FAILED;
}
