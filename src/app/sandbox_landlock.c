/*
 * Landlock, by its system calls: glibc has no functions for them, and Debian 12's kernel headers
 * end before ports. The numbers are the same on every architecture.
 */
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "app/sandbox_parts.h"

#define CREATE_RULESET 444
#define ADD_RULE 445
#define RESTRICT_SELF 446
#define ASK_VERSION 1u

#define RULE_PATH 1
#define RULE_PORT 2

#define MAY_READ_FILE (1ull << 2)
#define MAY_READ_DIR (1ull << 3)
#define FILES_OF_1 ((1ull << 13) - 1)   /* to execute, write, read, list, remove and make */
#define FILES_OF_2 (1ull << 13)         /* to link and rename into another folder */
#define FILES_OF_3 (1ull << 14)         /* to truncate */
#define FILES_OF_5 (1ull << 15)         /* ioctl() of devices */
#define MAY_BIND (1ull << 0)
#define MAY_DIAL (1ull << 1)
#define ABSTRACT_SOCKETS (1ull << 0)
#define SIGNALS (1ull << 1)

struct ruleset {
    uint64_t files, ports, scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t fd;
} __attribute__((packed));

struct port_rule {
    uint64_t allowed, port;
};

int sandbox_landlock_version(void)
{
    long v = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);

    return v > 0 ? (int)v : 0;
}

static uint64_t all_of_files(int version)
{
    return FILES_OF_1 | (version >= 2 ? FILES_OF_2 : 0) | (version >= 3 ? FILES_OF_3 : 0)
         | (version >= 5 ? FILES_OF_5 : 0);
}

/* A folder that is not there needs no rule. */
static int allow_reading(int ruleset, const char *folder, struct err *e)
{
    struct path_rule r = { .allowed = MAY_READ_FILE | MAY_READ_DIR,
                           .fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) };
    long rc = 0;

    if (r.fd >= 0) {
        rc = syscall(ADD_RULE, ruleset, RULE_PATH, &r, 0);
        close(r.fd);
    }
    return rc == 0 ? 0 : err_set(e, "Landlock takes no rule for %s", folder);
}

/* What c-ares reads lies in /etc, or is a link from there: to where, a name server's daemon or a
   network manager replaces it, so that the folder counts and not the file. */
static int allow_resolver(int ruleset, struct err *e)
{
    static const char *const files[] = { "/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf" };
    char path[PATH_MAX];

    if (allow_reading(ruleset, "/etc", e) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (realpath(files[i], path) == NULL || strncmp(path, "/etc/", 5) == 0)
            continue;
        const char *folder = dirname(path);
        if (strcmp(folder, "/") != 0 && allow_reading(ruleset, folder, e) != 0)
            return -1;
    }
    return 0;
}

static int allow_port(int ruleset, uint64_t what, uint16_t port, struct err *e)
{
    struct port_rule r = { .allowed = what, .port = port };

    if (syscall(ADD_RULE, ruleset, RULE_PORT, &r, 0) == 0)
        return 0;
    return err_set(e, "Landlock takes no rule for port %u", port);
}

/* Port 0 is any free one: to ask whether an address is this host's (net/sock.c). */
static int allow_ports(int ruleset, const struct sandbox *s, struct err *e)
{
    if (allow_port(ruleset, MAY_BIND, 0, e) != 0)
        return -1;
    for (size_t i = 0; i < s->nports && !s->any_port; i++)
        if (allow_port(ruleset, MAY_DIAL, s->ports[i], e) != 0)
            return -1;
    return 0;
}

static int add_rules(int ruleset, const struct sandbox *s, enum sandbox_role role, int version,
                     struct err *e)
{
    switch (role) {
    case SANDBOX_LOADER:
        return allow_reading(ruleset, "/", e);
    case SANDBOX_MONITOR:
        if (allow_resolver(ruleset, e) != 0)
            return -1;
        break;
    case SANDBOX_WORKER:
    case SANDBOX_DIALLER:
        break;
    }
    return version >= LANDLOCK_PORTS ? allow_ports(ruleset, s, e) : 0;
}

int sandbox_landlock_enter(const struct sandbox *s, enum sandbox_role role, struct err *e)
{
    int version = sandbox_landlock_version();
    bool dials_all = s->any_port && role != SANDBOX_LOADER;
    struct ruleset r = {
        .files = all_of_files(version),
        .ports = MAY_BIND | (dials_all ? 0 : MAY_DIAL),
        .scoped = ABSTRACT_SOCKETS | SIGNALS,
    };
    size_t len = version >= LANDLOCK_SCOPES  ? sizeof(r)
                 : version >= LANDLOCK_PORTS ? offsetof(struct ruleset, scoped)
                                             : offsetof(struct ruleset, ports);

    if (version == 0)
        return 0;
    int ruleset = (int)syscall(CREATE_RULESET, &r, len, 0);
    if (ruleset < 0)
        return err_set(e, "Landlock takes no rules");
    int rc = add_rules(ruleset, s, role, version, e);
    if (rc == 0 && syscall(RESTRICT_SELF, ruleset, 0) != 0)
        rc = err_set(e, "Landlock cannot be entered");
    close(ruleset);
    return rc;
}
