#include "app/cpus.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* These files have a line or two; /proc/self/cgroup has a dozen. */
#define TEXT_MAX 4096

/* The trimmed text of a small file; false when it cannot be read. */
static bool read_small(char buf[TEXT_MAX], struct span *out, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;

    ssize_t n = read(fd, buf, TEXT_MAX);
    close(fd);
    if (n < 0)
        return false;
    *out = str_trim((struct span){ buf, (size_t)n });
    return true;
}

static unsigned whole_cpus(uint64_t quota, uint64_t period)
{
    if (quota == 0 || period == 0)
        return 0;

    uint64_t n = (quota - 1) / period + 1;
    return n > UINT_MAX ? UINT_MAX : (unsigned)n;
}

/* Version 2: "QUOTA PERIOD" in one file; no limit is the word "max". */
static unsigned quota_v2(const char *dir)
{
    char path[PATH_MAX], buf[TEXT_MAX];
    struct span text, quota, period;
    uint64_t q, p;

    if (snprintf(path, sizeof(path), "%s/cpu.max", dir) >= (int)sizeof(path)
        || !read_small(buf, &text, path))
        return 0;
    if (!str_next(&text, ' ', &quota) || !str_next(&text, ' ', &period)
        || !str_u64(quota, UINT64_MAX, &q) || !str_u64(period, UINT64_MAX, &p))
        return 0;
    return whole_cpus(q, p);
}

/* Version 1: two files; no limit is a quota of -1, which is no unsigned number. */
static unsigned quota_v1(const char *dir)
{
    char path[PATH_MAX], buf[TEXT_MAX];
    struct span text;
    uint64_t q, p;

    if (snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", dir) >= (int)sizeof(path)
        || !read_small(buf, &text, path) || !str_u64(text, UINT64_MAX, &q))
        return 0;
    if (snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", dir) >= (int)sizeof(path)
        || !read_small(buf, &text, path) || !str_u64(text, UINT64_MAX, &p))
        return 0;
    return whole_cpus(q, p);
}

static void keep_smaller(unsigned *least, unsigned n)
{
    if (n != 0 && (*least == 0 || n < *least))
        *least = n;
}

/*
 * Every directory from `mount`/`group` up to `mount` itself. In a container the
 * path may be the host's while the mount begins at the container's own group:
 * then the lower directories are missing, and the mount's root has the quota.
 */
static void walk_up(unsigned *least, const char *root, const char *mount, struct span group,
                    unsigned (*quota)(const char *dir))
{
    char dir[PATH_MAX];
    int top = snprintf(dir, sizeof(dir), "%s%s", root, mount);
    int n = snprintf(dir, sizeof(dir), "%s%s%.*s", root, mount, (int)group.len, group.p);

    if (top < 0 || n < top || n >= (int)sizeof(dir))
        return;
    for (;;) {
        keep_smaller(least, quota(dir));
        char *slash = strrchr(dir, '/');
        if (slash == NULL || slash < dir + top)
            return;
        *slash = '\0';
    }
}

static bool lists_cpu(struct span controllers)
{
    struct span one;

    while (str_next(&controllers, ',', &one))
        if (str_eq(one, "cpu"))
            return true;
    return false;
}

unsigned cpus_quota(const char *root)
{
    char path[PATH_MAX], buf[TEXT_MAX];
    struct span text, line;
    unsigned least = 0;

    if (snprintf(path, sizeof(path), "%s/proc/self/cgroup", root) >= (int)sizeof(path)
        || !read_small(buf, &text, path))
        return 0;

    /* Lines are "ID:CONTROLLERS:PATH"; version 2 is the one without controllers. */
    while (str_next(&text, '\n', &line)) {
        struct span id, controllers;
        if (!str_next(&line, ':', &id) || !str_next(&line, ':', &controllers))
            continue;
        if (line.len == 0 || line.p[0] != '/')
            continue;
        if (controllers.len == 0) {
            walk_up(&least, root, "/sys/fs/cgroup", line, quota_v2);
            walk_up(&least, root, "/sys/fs/cgroup/unified", line, quota_v2);
        } else if (lists_cpu(controllers)) {
            walk_up(&least, root, "/sys/fs/cgroup/cpu", line, quota_v1);
            walk_up(&least, root, "/sys/fs/cgroup/cpu,cpuacct", line, quota_v1);
        }
    }
    return least;
}

/* The mask is asked for with more and more room: a kernel that knows more CPUs
   than the buffer holds answers EINVAL. */
static unsigned affinity(void)
{
    for (int cpus = 1024; cpus <= 1 << 16; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)cpus);
        size_t size = CPU_ALLOC_SIZE((size_t)cpus);
        if (set == NULL)
            break;
        int failed = sched_getaffinity(0, size, set);
        int n = failed ? 0 : CPU_COUNT_S(size, set);
        CPU_FREE(set);
        if (!failed)
            return n > 0 ? (unsigned)n : 1;
    }
    return 1;
}

unsigned cpus_auto(void)
{
    unsigned n = affinity(), quota = cpus_quota("");

    return quota != 0 && quota < n ? quota : n;
}
