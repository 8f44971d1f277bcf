/*
 * options: the command line and the environment, as settings.
 *
 * Flags come from the key table: every key of [proxy] is one, and a few keys of the
 * other sections describe the one route of `serve --listen A --upstream B --cert C`.
 * Each is a variable, too (--drain-timeout is SALLYPORT_DRAIN_TIMEOUT). They become
 * the same settings as lines of a file, in sections named `cli`, so that one set of
 * checks judges all; conf_at() calls them by their flag's name again.
 *
 * The command line wins over the environment, and the environment over the file.
 */
#ifndef SALLYPORT_CMD_OPTIONS_H
#define SALLYPORT_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "conf/settings.h"

/* A flag of one verb alone, with a value. */
struct option_own {
    const char *flag, *metavar, *help;
};

/* What a verb takes. Keys of [proxy] are taken by all but who names `only` some. */
struct option_rules {
    const char *verb;           /* "check" */
    const char *args;           /* "[LISTEN] [UPSTREAM]" for the usage line, or "" */
    const char *summary;        /* one line for --help */
    unsigned min_args, max_args;
    bool configuration;         /* --config, and the flags of the one route */
    bool json;                  /* --json */
    bool watch;                 /* --watch */
    const enum conf_key *only;  /* the flags of these keys and no others, and no variables */
    size_t nonly;
    const struct option_own *own;   /* these instead of any key's: the configuration comes from
                                       the file, or from variables */
    size_t nown;
};

struct invocation {
    const char *config_path;    /* NULL: the route comes from flags */
    struct settings overrides;
    bool json, watch;
    const char **own;           /* the value of each of the rules' own; NULL: not given */
    const char **args;
    size_t nargs;
};

/*
 * -1: go on with *out (whose strings are argv's and the environment's). Otherwise
 * the verb's exit code: 0 after --help, 2 for wrong usage, which has been said on
 * stderr. argv[0] is the verb.
 */
int options_parse(int argc, char **argv, const struct option_rules *rules, struct invocation *out);
void invocation_free(struct invocation *inv);

void options_help(const struct option_rules *rules);    /* to stdout */

#endif
