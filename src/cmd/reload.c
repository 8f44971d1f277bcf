#include <stdio.h>
#include <stdlib.h>

#include "cmd/admin_client.h"
#include "cmd/cmd.h"
#include "cmd/options.h"

static const struct option_rules rules = {
    .verb = "reload",
    .args = "",
    .summary =
        "Lets the running sallyport read its configuration and its files again, and waits\n"
        "until that has ended: what it found is shown on stderr. Finds it by --admin, or by\n"
        "[proxy] admin of the configuration, of which nothing else is looked at.\n"
        "\n"
        "Exit code 0: the new configuration is in force. 1: it is not, and what was in force\n"
        "stays; or nobody could be asked. 2: wrong usage.",
    .configuration = true,
};

int cmd_reload(int argc, char **argv)
{
    struct invocation inv;
    struct diags d = { 0 };
    struct addr to;
    struct admin_answer answer = { 0 };
    int rc = options_parse(argc, argv, &rules, &inv);

    if (rc >= 0)
        return rc;

    rc = EXIT_FAILED;
    if (admin_client_find(&inv, &to, &d) == 0
        && admin_client_ask(&to, "POST", "/reload", ADMIN_PATIENCE_S, &answer, &d) == 0)
        rc = admin_client_show(&answer);
    diags_print(&d, stderr);
    free(answer.body);
    diags_free(&d);
    invocation_free(&inv);
    return rc;
}
