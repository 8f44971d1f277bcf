#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/options.h"
#include "conf/conf.h"
#include "conf/source.h"
#include "conf/wording.h"

static const struct option_rules rules = {
    .verb = "dump",
    .args = "",
    .summary = "Prints the whole configuration in force, defaults included, in the syntax of the\n"
               "file; behind each key stands where it was set.",
    .configuration = true,
};

int cmd_dump(int argc, char **argv)
{
    struct invocation inv;
    struct settings s = { 0 };
    struct diags d = { 0 };
    int rc = options_parse(argc, argv, &rules, &inv);

    if (rc >= 0)
        return rc;

    if (inv.config_path != NULL)
        source_read(inv.config_path, &s, &d);
    settings_append(&s, &inv.overrides);
    struct conf *c = conf_build(&s, &d);
    wording_fit(&d, inv.config_path == NULL);
    diags_print(&d, stderr);
    if (c != NULL)
        conf_dump(c, stdout);
    rc = c != NULL ? EXIT_OK : EXIT_FAILED;

    conf_free(c);
    settings_free(&s);
    diags_free(&d);
    invocation_free(&inv);
    return rc;
}
