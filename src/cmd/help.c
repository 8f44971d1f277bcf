#include <stdio.h>
#include <string.h>

#include "cmd/options.h"
#include "conf/types.h"

/* The one route's, in the order in which they are usually written. */
static const enum conf_section order[] = {
    SECTION_ROUTE, SECTION_UPSTREAM, SECTION_STORE, SECTION_TRUST
};

static void print_row(const struct key_row *row)
{
    printf("  %s %s\n        %s", row->flag, type_metavar(row->type), row->help);
    if (row->def != NULL)
        printf(" (default %s)", row->def);
    if (row->flags & ROW_LIST)
        printf("; may be repeated");
    putchar('\n');
}

static void print_section(enum conf_section s)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (conf_keys[i].flag != NULL && conf_keys[i].section == s)
            print_row(&conf_keys[i]);
}

void options_help(const struct option_rules *r)
{
    printf("usage: sallyport %s%s%s%s%s\n\n%s\n\n", r->verb, r->args[0] ? " " : "", r->args,
           !r->configuration ? "" : r->nown > 0 ? " [-c FILE]" : " [-c FILE | flags of a route]",
           " [flags]", r->summary);
    if (r->configuration)
        puts("  -c, --config FILE\n"
             "        the configuration (default " SALLYPORT_SYSCONFDIR "/sallyport.conf)");
    for (size_t i = 0; i < r->nown; i++)
        printf("  %s %s\n        %s\n", r->own[i].flag, r->own[i].metavar, r->own[i].help);
    if (r->json)
        puts(r->nonly + r->nown > 0 || r->watch ? "  --json\n        the same as JSON"
                                                : "  --json\n        findings as JSON");
    if (r->watch)
        puts("  --watch\n        again every 2 s; on a terminal as a screen, until q is pressed");
    puts("  -h, --help\n        this text");

    if (r->configuration && r->nown == 0) {
        puts("\nOne route, instead of a file:");
        for (size_t s = 0; s < sizeof(order) / sizeof(order[0]); s++)
            print_section(order[s]);
        puts("  --tls-cert, --tls-key, --tls-ca-file are accepted for --cert, --key, --ca");
    }
    for (size_t i = 0; i < r->nonly; i++)
        print_row(&conf_keys[r->only[i]]);
    if (r->nonly + r->nown > 0)
        return;
    puts("\nThe process:");
    print_section(SECTION_PROXY);
    puts("\nEvery flag is a variable, too: --drain-timeout is SALLYPORT_DRAIN_TIMEOUT (lists with\n"
         "commas). The command line wins over the environment, the environment over the file.");
}
