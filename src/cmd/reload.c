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
    int rc = options_parse(argc, argv, &rules, &inv);

    if (rc >= 0)
        return rc;
    rc = admin_client_post(&inv, "/reload", ADMIN_PATIENCE_S);
    invocation_free(&inv);
    return rc;
}
