#include "net/watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/watch_dirs.h"

#define POLL_MS 2000u
#define SAFETY_MS 60000u
#define LOOK_MIN_MS 100u        /* between two looks at all marks */

#define NAMES (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB)
#define ITSELF (IN_DELETE_SELF | IN_MOVE_SELF)
#define ALWAYS (IN_Q_OVERFLOW | IN_UNMOUNT | IN_IGNORED | ITSELF)

/* A directory that is watched: names[first .. first + n). */
struct place {
    int wd;
    size_t first, n;
};

#define CHANGES_MAX 1000u       /* names that are worth remembering one by one */

struct watch {
    struct loop *loop;
    watch_fn *fn;
    void *arg;
    char *cwd;                  /* what relative paths are relative to */
    struct watch_path *paths;
    size_t npaths;
    struct watch_changes changes;
    bool astray;                /* the way to a file may be another one now */
    struct watch_names names;
    struct place *places;
    size_t nplaces;
    int fd;                     /* -1: there is no inotify */
    struct loop_fd *events;
    struct loop_timer *timer;
    struct loop_task tell;
    uint64_t looked_us;
    char polls[512];            /* why it has to look every other second; "": it need not */
};

/* --- marks --- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

static uint64_t mix_stat(uint64_t h, const struct stat *st)
{
    h = mix(mix(h, st->st_dev), st->st_ino);
    h = mix(h, (uint64_t)st->st_size);
    h = mix(mix(h, (uint64_t)st->st_mtim.tv_sec), (uint64_t)st->st_mtim.tv_nsec);
    return mix(mix(h, (uint64_t)st->st_ctim.tv_sec), (uint64_t)st->st_ctim.tv_nsec);
}

/* Of all in a directory: a sum, because their order means nothing. */
static uint64_t sum_within(const char *dir, unsigned deep)
{
    DIR *d = opendir(dir);
    uint64_t sum = 0;

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0
            || fstatat(dirfd(d), e->d_name, &st, 0) != 0)
            continue;
        uint64_t h = mix_stat(1, &st);
        for (const char *p = e->d_name; *p != '\0'; p++)
            h = mix(h, (unsigned char)*p);
        if (deep > 0 && S_ISDIR(st.st_mode)) {
            char *sub = mem_printf("%s/%s", dir, e->d_name);
            h = mix(h, sum_within(sub, deep - 1));
            free(sub);
        }
        sum += h;
    }
    if (d != NULL)
        closedir(d);
    return sum;
}

uint64_t watch_mark(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return 0;
    uint64_t h = mix_stat(1, &st);
    if (S_ISDIR(st.st_mode))
        h = mix(h, sum_within(path, 1));
    return h != 0 && h != WATCH_UNKNOWN ? h : 1;
}

/* --- directories --- */

/* Another machine, or a program, may change these without this kernel's knowing. */
static bool tells(const char *dir)
{
    static const unsigned long silent[] = {
        NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, 0xff534d42 /* cifs */, 0xfe534d42 /* smb2 */,
        FUSE_SUPER_MAGIC, V9FS_MAGIC, CEPH_SUPER_MAGIC, AFS_SUPER_MAGIC, CODA_SUPER_MAGIC,
        0x6b414653 /* kafs */, 0x786f4256 /* vboxsf */, 0x01161970 /* gfs2 */, OCFS2_SUPER_MAGIC,
    };
    struct statfs fs;

    if (statfs(dir, &fs) != 0)
        return true;
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++)
        if (((unsigned long)fs.f_type & 0xffffffffu) == silent[i])
            return false;
    return true;
}

static int watch_dir(const struct watch *w, const struct place *p)
{
    const struct watch_name *names = &w->names.v[p->first];
    uint32_t mask = NAMES | ITSELF | IN_ONLYDIR;

    for (size_t i = 0; i < p->n; i++)
        if (names[i].content)
            mask |= IN_CLOSE_WRITE;
    return inotify_add_watch(w->fd, names[0].dir, mask);
}

static bool is_watched(const struct watch *w, int wd)
{
    for (size_t i = 0; i < w->nplaces; i++)
        if (w->places[i].wd == wd)
            return true;
    return false;
}

/* Of several reasons, the first. */
static void poll_for(struct watch *w, const char *why, const char *dir)
{
    if (w->polls[0] == '\0')
        snprintf(w->polls, sizeof(w->polls), "%s%s%s", why, dir != NULL ? " " : "",
                 dir != NULL ? dir : "");
}

static void note_failure(struct watch *w, const char *dir, int reason)
{
    if (reason == ENOSPC)
        poll_for(w, "fs.inotify.max_user_watches is used up", NULL);
    else if (reason == EACCES)
        poll_for(w, "this user may not read the folder", dir);
    else if (reason != ENOENT && reason != ENOTDIR) /* gone meanwhile: its parent tells */
        poll_for(w, "inotify refuses the folder", dir);
}

/* A place for each run of names in one directory. */
static void make_places(struct watch *w)
{
    w->places = NULL;
    w->nplaces = 0;
    for (size_t i = 0; i < w->names.n; i++) {
        struct place *last = w->nplaces > 0 ? &w->places[w->nplaces - 1] : NULL;
        if (last != NULL && strcmp(w->names.v[last->first].dir, w->names.v[i].dir) == 0) {
            last->n++;
            continue;
        }
        w->places = mem_grow(w->places, w->nplaces + 1, sizeof(w->places[0]));
        w->places[w->nplaces++] = (struct place){ -1, i, 1 };
    }
}

static void watch_dirs(struct watch *w)
{
    struct place *before = w->places;
    size_t n = w->nplaces;

    make_places(w);
    for (size_t i = 0; i < w->nplaces; i++) {
        struct place *p = &w->places[i];
        p->wd = watch_dir(w, p);
        if (p->wd < 0)
            note_failure(w, w->names.v[p->first].dir, errno);
        else if ((w->names.v[p->first].name == NULL || w->names.v[p->first].content)
                 && !tells(w->names.v[p->first].dir))
            poll_for(w, "the file system does not tell of changes in", w->names.v[p->first].dir);
    }
    for (size_t i = 0; i < n; i++)
        if (before[i].wd >= 0 && !is_watched(w, before[i].wd))
            (void)inotify_rm_watch(w->fd, before[i].wd);
    free(before);
}

/* --- events --- */

static void on_events(void *arg, unsigned ready);

/* There may be a descriptor for it now, where there was none at first. */
static void open_inotify(struct watch *w)
{
    if (w->fd >= 0)
        return;
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    w->events = w->fd >= 0 ? loop_fd_new(w->loop, w->fd, on_events, w) : NULL;
    if (w->events == NULL || loop_fd_want(w->events, LOOP_READ) != 0) {
        loop_fd_free(w->events);
        w->events = NULL;
        if (w->fd >= 0)
            close(w->fd);
        w->fd = -1;
    }
}

/* Where the paths lead now, watched; true: some file is not what it was. */
static bool look(struct watch *w)
{
    bool changed = false;

    watch_names_free(&w->names);
    for (size_t i = 0; i < w->npaths; i++)
        watch_names_add(&w->names, w->paths[i].path);
    watch_names_sort(&w->names);

    w->polls[0] = '\0';
    open_inotify(w);
    if (w->fd >= 0)
        watch_dirs(w);
    else
        poll_for(w, "there is no inotify to be had", NULL);
    for (size_t i = 0; i < w->npaths; i++) {
        uint64_t now = watch_mark(w->paths[i].path);
        changed = changed || now != w->paths[i].mark;
        w->paths[i].mark = now;
    }
    w->changes.unsure = w->changes.unsure || changed;
    w->astray = false;
    w->looked_us = loop_now_us(w->loop);
    if (w->npaths > 0)
        loop_timer_set(w->timer, w->polls[0] != '\0' ? POLL_MS : SAFETY_MS);
    else
        loop_timer_clear(w->timer);
    return changed;
}

static void on_tell(void *arg)
{
    struct watch *w = arg;

    w->fn(w->arg);
}

static void on_timer(void *arg)
{
    struct watch *w = arg;

    if (look(w))
        loop_later(w->loop, &w->tell);
}

static int by_name(const void *key, const void *element)
{
    const char *name = key;
    const struct watch_name *n = element;

    return n->name == NULL ? 1 : strcmp(name, n->name);
}

static bool is_about(const struct watch *w, const struct place *p, const struct inotify_event *e)
{
    const struct watch_name *names = &w->names.v[p->first];

    if (p->wd != e->wd)
        return false;
    return (e->mask & ALWAYS) || names[0].name == NULL
           || (e->len > 0 && bsearch(e->name, names, p->n, sizeof(names[0]), by_name) != NULL);
}

/* Where the event happened, of the places that it matters to; NULL: nowhere. */
static const struct place *place_of(const struct watch *w, const struct inotify_event *e)
{
    for (size_t i = 0; i < w->nplaces; i++)
        if (is_about(w, &w->places[i], e))
            return &w->places[i];
    return NULL;
}

/* A file in a directory that is watched as a whole: its name says all. Whatever else it
   is may lead elsewhere now, so the way has to be looked at anew. (The directory's mark is
   an old one from now on, so the next look of every minute counts as a change: what no
   event told of, as truncate(2) does not, is found then.) */
static void remember(struct watch *w, const struct place *p, const struct inotify_event *e)
{
    const struct watch_name *first = p != NULL ? &w->names.v[p->first] : NULL;
    struct watch_changes *c = &w->changes;

    if (first == NULL || first->name != NULL || e->len == 0
        || (e->mask & (ALWAYS | IN_ISDIR)) || c->n == CHANGES_MAX) {
        c->unsure = w->astray = true;
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        size_t dir = strlen(first->dir);
        if (strncmp(c->v[i], first->dir, dir) == 0 && c->v[i][dir] == '/'
            && strcmp(c->v[i] + dir + 1, e->name) == 0)
            return;
    }
    c->v = mem_grow(c->v, c->n + 1, sizeof(c->v[0]));
    c->v[c->n++] = mem_printf("%s/%s", first->dir, e->name);
}

static bool take_event(struct watch *w, const struct inotify_event *e)
{
    const struct place *p = place_of(w, e);

    if (p == NULL && !((e->mask & IN_Q_OVERFLOW) && w->npaths > 0))
        return false;
    remember(w, p, e);
    return true;
}

static void on_events(void *arg, unsigned ready)
{
    struct watch *w = arg;
    union {
        struct inotify_event align;
        char bytes[64 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
    } buf;
    bool changed = false;
    ssize_t n;

    (void)ready;
    while ((n = read(w->fd, buf.bytes, sizeof(buf.bytes))) > 0)
        for (char *at = buf.bytes; at < buf.bytes + n;) {
            const struct inotify_event *e = (const struct inotify_event *)(const void *)at;
            changed |= take_event(w, e);
            at += sizeof(*e) + e->len;
        }
    if (!changed)
        return;
    /* Watch the way that there is now, but do not look at everything for each event of
       a storm. */
    uint64_t since_ms = (loop_now_us(w->loop) - w->looked_us) / 1000u;
    if (w->astray && since_ms >= LOOK_MIN_MS)
        (void)look(w);
    else if (w->astray)
        loop_timer_set(w->timer, LOOK_MIN_MS - since_ms);
    loop_later(w->loop, &w->tell);
}

void watch_take_changes(struct watch *w, struct watch_changes *to)
{
    to->v = mem_grow(to->v, to->n + w->changes.n + 1, sizeof(to->v[0]));
    for (size_t i = 0; i < w->changes.n; i++)
        to->v[to->n++] = w->changes.v[i];
    to->unsure = to->unsure || w->changes.unsure || w->polls[0] != '\0';
    free(w->changes.v);
    w->changes = (struct watch_changes){ 0 };
}

void watch_changes_free(struct watch_changes *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->v[i]);
    free(c->v);
    *c = (struct watch_changes){ 0 };
}

/* --- the whole --- */

static void free_paths(struct watch_path *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(v[i].path);
    free(v);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct watch_path *)a)->path, ((const struct watch_path *)b)->path);
}

static struct watch_path *list_of(const struct watch *w, const struct watch_path *paths, size_t n)
{
    struct watch_path *v = mem_zalloc(n * sizeof(*v));

    for (size_t i = 0; i < n; i++) {
        bool absolute = paths[i].path[0] == '/';
        v[i].path = mem_printf("%s%s%s", absolute ? "" : w->cwd, absolute ? "" : "/",
                               paths[i].path);
        v[i].mark = paths[i].mark;
    }
    if (n > 0)
        qsort(v, n, sizeof(*v), by_path);
    return v;
}

static bool are_followed(const struct watch *w, const struct watch_path *v, size_t n)
{
    if (n != w->npaths || w->fd < 0 || w->polls[0] != '\0' || w->astray)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].path, w->paths[i].path) != 0)
            return false;
    return true;
}

void watch_set(struct watch *w, const struct watch_path *paths, size_t n)
{
    struct watch_path *v = list_of(w, paths, n);

    if (n > 0 && are_followed(w, v, n)) {
        free_paths(v, n);
        return;
    }
    free_paths(w->paths, w->npaths);
    w->paths = v;
    w->npaths = n;
    if (look(w))
        loop_later(w->loop, &w->tell);
}

const char *watch_polls(const struct watch *w)
{
    return w->polls[0] != '\0' ? w->polls : NULL;
}

struct watch *watch_new(struct loop *l, watch_fn *fn, void *arg, struct err *e)
{
    struct watch *w = mem_zalloc(sizeof(*w));

    *w = (struct watch){ .loop = l, .fn = fn, .arg = arg, .fd = -1 };
    loop_task_init(&w->tell, on_tell, w);
    w->cwd = getcwd(NULL, 0);
    w->timer = loop_timer_new(l, on_timer, w);
    if (w->timer == NULL) {
        err_setx(e, "memory is out");
        watch_free(w);
        return NULL;
    }
    if (w->cwd == NULL)
        w->cwd = mem_strdup("/");
    return w;
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    free_paths(w->paths, w->npaths);
    watch_changes_free(&w->changes);
    watch_names_free(&w->names);
    free(w->places);
    loop_task_cancel(&w->tell);
    loop_timer_free(w->timer);
    loop_fd_free(w->events);
    if (w->fd >= 0)
        close(w->fd);
    free(w->cwd);
    free(w);
}
