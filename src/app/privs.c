#include "app/privs.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"

/* The leak checker stops the process and reads it through ptrace, which a process
   that is not dumpable refuses, even to itself. */
#if defined(__SANITIZE_ADDRESS__)
#define LEAK_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEAK_CHECKED 1
#endif
#endif
#ifndef LEAK_CHECKED
#define LEAK_CHECKED 0
#endif

#define FALLBACK_USER "nobody"

static const struct passwd *by_name_or_number(const char *user)
{
    const struct passwd *pw = getpwnam(user);
    uint64_t uid;

    if (pw == NULL && str_u64(str_span(user), UINT32_MAX - 1, &uid))
        pw = getpwuid((uid_t)uid);
    return pw;
}

/* A number without an entry, as containers have it: that user and that group. */
static bool is_bare_number(const char *user, struct privs *out)
{
    uint64_t n;

    if (!str_u64(str_span(user), UINT32_MAX - 1, &n))
        return false;
    *out = (struct privs){ .change = n != 0, .uid = (uid_t)n, .gid = (gid_t)n };
    return true;
}

static void become(const struct passwd *pw, struct privs *out)
{
    /* The first call says how many groups there are. */
    int n = 16;
    gid_t *groups = mem_grow(NULL, (size_t)n, sizeof(gid_t));

    while (getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
        groups = mem_grow(groups, (size_t)n, sizeof(gid_t));
    *out = (struct privs){
        .change = pw->pw_uid != 0,
        .uid = pw->pw_uid,
        .gid = pw->pw_gid,
        .groups = groups,
        .ngroups = n,
    };
}

static void plan_as_root(const struct conf_proxy *p, struct privs *out, struct diags *d)
{
    struct diag_at at = conf_at(&p->head, KEY_PROXY_USER, p->user);
    bool written = p->head.set[KEY_PROXY_USER].file != NULL;
    const struct passwd *pw = by_name_or_number(p->user);

    if (pw == NULL && is_bare_number(p->user, out))
        return;
    if (pw == NULL && !written) {
        pw = getpwnam(FALLBACK_USER);
        if (pw != NULL)
            diag_add(d, DIAG_WARNING, at, "create it: useradd --system --no-create-home sallyport",
                     "there is no such user; workers run as %s", FALLBACK_USER);
    }
    if (pw != NULL)
        become(pw, out);
    else
        diag_add(d, DIAG_ERROR, at, "create it, or name another one with user = NAME",
                 "there is no such user");
}

struct privs privs_plan(const struct conf_proxy *p, struct diags *d)
{
    struct privs out = { 0 };

    bool written = p->head.set[KEY_PROXY_USER].file != NULL;

    if (geteuid() == 0 && p->workers == 0 && !written) {
        /* One process does the master's work too: it reads keys and binds at a reload. */
        diag_add(d, DIAG_WARNING, conf_at(&p->head, KEY_PROXY_WORKERS, "0"),
                 "write out user = NAME; reloads then read the files as that user",
                 "the one process serves clients as root");
    } else if (geteuid() == 0) {
        plan_as_root(p, &out, d);
    } else if (written) {
        const struct passwd *pw = by_name_or_number(p->user);
        if (pw == NULL || pw->pw_uid != geteuid())
            diag_add(d, DIAG_WARNING, conf_at(&p->head, KEY_PROXY_USER, p->user), NULL,
                     "only root can change to another user; the current one is kept");
    }
    return out;
}

struct privs privs_plan_apart(const struct conf_proxy *p, struct diags *d)
{
    struct conf_proxy who = *p;

    if (who.workers == 0)
        who.workers = 1;
    return privs_plan(&who, d);
}

void privs_free(struct privs *p)
{
    free(p->groups);
    *p = (struct privs){ 0 };
}

int privs_drop(const struct privs *p, struct err *e)
{
    if (!p->change)
        return 0;
    if (setgroups((size_t)p->ngroups, p->groups) != 0)
        return err_set(e, "cannot set the groups");
    if (setresgid(p->gid, p->gid, p->gid) != 0)
        return err_set(e, "cannot become group %u", (unsigned)p->gid);
    if (setresuid(p->uid, p->uid, p->uid) != 0)
        return err_set(e, "cannot become user %u", (unsigned)p->uid);

    uid_t r, ef, s;
    if (getresuid(&r, &ef, &s) != 0 || r != p->uid || ef != p->uid || s != p->uid
        || setuid(0) == 0 || seteuid(0) == 0)
        return err_setx(e, "became user %u, but root can be regained", (unsigned)p->uid);

    /* Changing the user has set the dumpable flag anew. */
    privs_harden();
    return 0;
}

void privs_harden(void)
{
    const struct rlimit none = { 0, 0 };
    bool dumpable = LEAK_CHECKED || getenv(PRIVS_ENV_DUMPABLE) != NULL;

    /* Each is a bolt on a door that should be shut anyway: nothing to do if one fails. */
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void privs_raise_nofile(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &r);
    }
}
