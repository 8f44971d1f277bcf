/*
 * sallyport serve: the program itself.
 */
#include "app/master.h"
#include "cmd/cmd.h"
#include "cmd/options.h"

static const struct option_rules rules = {
    .verb = "serve",
    .args = "",
    .summary =
        "Accepts TLS, checks who comes, and passes the bytes on to a plaintext service.\n"
        "Everything is checked before anything is served: a start with an error lists all of\n"
        "them and ends.\n"
        "\n"
        "Signals: HUP reads configuration and certificates again (in force only if all of it\n"
        "is good), TERM lets connections end for drain_timeout and then ends, a second TERM\n"
        "or INT ends at once, USR1 opens the log anew, USR2 lets a new program take over.\n"
        "\n"
        "Exit code 0: ended, and no connection was cut. 1: an error at the start, or open\n"
        "connections were cut. 2: wrong usage.",
    .configuration = true,
};

int cmd_serve(int argc, char **argv)
{
    struct invocation inv;
    int code = options_parse(argc, argv, &rules, &inv);

    if (code >= 0)
        return code;

    struct load_plan plan = { .config_path = inv.config_path, .overrides = &inv.overrides };
    code = master_run(&plan, NULL);
    invocation_free(&inv);
    return code;
}
