#include "conf/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/exposure.h"

/* A file that is asked for: its name, and where findings about it go. */
struct wanted {
    const char *path;
    struct diag_at where;
    struct diags *d;
};

static int refuse(const struct wanted *w, char *hint, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether the finding shows the path already, as the value or as the place. */
static bool is_shown(const struct wanted *w)
{
    const char *shown = w->where.value != NULL ? w->where.value : w->where.at.file;

    return shown != NULL && strcmp(shown, w->path) == 0;
}

static int refuse(const struct wanted *w, char *hint, const char *fmt, ...)
{
    bool shown = is_shown(w);
    char message[PATH_MAX + 128];       /* a link's target in it */
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    diag_add(w->d, DIAG_ERROR, w->where, hint, "%s%s%s", shown ? "" : w->path, shown ? "" : ": ",
             message);
    free(hint);
    return -1;
}

/* The folder that holds the path; the caller's. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return mem_strdup(".");
    return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

/* The first folder on the way to the path that is not there, or may not be entered. */
static char *obstacle(const char *path, int reason)
{
    char *here = folder_of(path), *found = NULL;
    struct stat st;

    for (;;) {
        bool there = stat(here, &st) == 0;
        if (reason == ENOENT ? !there && errno == ENOENT : there && access(here, X_OK) < 0) {
            free(found);
            found = mem_strdup(here);
        }
        if (strcmp(here, "/") == 0 || strcmp(here, ".") == 0)
            break;
        char *up = folder_of(here);
        free(here);
        here = up;
    }
    free(here);
    return found;
}

static const char *user_name(uid_t uid, char buf[64])
{
    const struct passwd *pw = getpwuid(uid);

    snprintf(buf, 64, "%u", (unsigned)uid);
    if (pw != NULL)
        snprintf(buf, 64, "%s", pw->pw_name);
    return buf;
}

static const char *group_name(gid_t gid, char buf[64])
{
    const struct group *gr = getgrgid(gid);

    snprintf(buf, 64, "%u", (unsigned)gid);
    if (gr != NULL)
        snprintf(buf, 64, "%s", gr->gr_name);
    return buf;
}

static int refuse_permission(const struct wanted *w)
{
    char owner[64], group[64], me[64];
    struct stat st;
    char *folder = obstacle(w->path, EACCES);
    const char *what = folder ? folder : w->path;

    user_name(geteuid(), me);
    if (stat(what, &st) == 0) {
        const char *bits = S_ISDIR(st.st_mode) ? "rx" : "r";
        refuse(w, mem_printf("the user \"%s\" has to be allowed to %s it: chown, or chgrp and "
                             "chmod g+%s, or setfacl -m u:%s:%s %s", me,
                             folder ? "enter" : "read", bits, me, bits, what),
               "permission denied (%s belongs to %s:%s with mode %04o; this runs as %s)",
               folder ? folder : "it", user_name(st.st_uid, owner), group_name(st.st_gid, group),
               (unsigned)st.st_mode & 07777u, me);
    } else {
        refuse(w, NULL, "permission denied (this runs as %s)", me);
    }
    free(folder);
    return -1;
}

/* Where a link leads, though nothing is there; NULL: it is no link. The caller's. */
static char *dead_link(const char *path)
{
    char to[PATH_MAX];
    ssize_t n = readlink(path, to, sizeof(to));

    return n < 0 ? NULL : mem_strndup(to, (size_t)n);
}

static int refuse_missing(const struct wanted *w)
{
    char *to = dead_link(w->path), *gap = to == NULL ? obstacle(w->path, ENOENT) : NULL;
    int rc = to != NULL ? refuse(w, NULL, "a link to %s, which does not exist", to)
                        : refuse(w, gap != NULL ? mem_printf("there is no folder %s", gap) : NULL,
                                 "no such file");

    free(to);
    free(gap);
    return rc;
}

static int refuse_open(const struct wanted *w, int reason)
{
    if (reason == EACCES)
        return refuse_permission(w);
    return reason == ENOENT ? refuse_missing(w) : refuse(w, NULL, "%s", strerror(reason));
}

/* All of a descriptor, from its beginning where it has one (it may be read again at
   the next reload). 0, an errno, or -1 when it is too large. */
static int read_all(int fd, struct file *out)
{
    bool seekable = lseek(fd, 0, SEEK_CUR) >= 0;
    size_t room = 16384;

    out->data = mem_zalloc(room + 1);
    for (;;) {
        if (out->len == room) {
            /* a secret must not stay behind in memory that is given back */
            uint8_t *larger = mem_zalloc(room * 2 + 1);
            memcpy(larger, out->data, out->len);
            mem_wipe_free(out->data, out->len);
            out->data = larger;
            room *= 2;
        }
        ssize_t n = seekable ? pread(fd, out->data + out->len, room - out->len, (off_t)out->len)
                             : read(fd, out->data + out->len, room - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        out->len += (size_t)n;
        if (out->len > FILE_BYTES_MAX)
            return -1;
        if (n == 0) {
            out->data[out->len] = '\0';
            return 0;
        }
    }
}

struct file_stamp file_stamp_of(const struct stat *st)
{
    return (struct file_stamp){
        .dev = (uint64_t)st->st_dev,
        .ino = (uint64_t)st->st_ino,
        .size = (uint64_t)st->st_size,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
    };
}

#define SETTLED_NS 2000000000   /* FAT's clock ticks every 2 s */

bool file_stamp_is_settled(const struct file_stamp *s, int64_t now_ns)
{
    return s->ctime_ns < now_ns - SETTLED_NS && s->mtime_ns < now_ns - SETTLED_NS;
}

/* What kind of thing was opened; NULL if bytes can be read from it. */
static const char *unfit(int fd, struct file *out)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return strerror(errno);
    if (S_ISDIR(st.st_mode))
        return "a directory, not a file";
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
        return "neither a regular file nor a pipe";
    if (S_ISREG(st.st_mode)) {
        out->time = (int64_t)st.st_mtime;
        out->mode = (unsigned)st.st_mode & 07777u;
    }
    return NULL;
}

static int read_fd(const struct wanted *w, int fd, struct file *out)
{
    const char *kind = unfit(fd, out);

    if (kind != NULL)
        return refuse(w, NULL, "%s", kind);

    int rc = read_all(fd, out);
    if (rc == -1)
        return refuse(w, NULL, "larger than %u MiB", FILE_BYTES_MAX >> 20);
    if (rc != 0)
        return refuse(w, NULL, "%s", strerror(rc));
    if (out->len == 0)
        return refuse(w, NULL, "the file is empty");
    return 0;
}

static int read_path(const struct wanted *w, struct file *out)
{
    int fd = open(w->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return refuse_open(w, errno);
    int rc = read_fd(w, fd, out);
    close(fd);
    out->exposed = exposure_to_all(w->path, out->mode);
    return rc;
}

static int read_variable(const struct wanted *w, struct file *out)
{
    const char *value = getenv(w->path + strlen("env:"));

    if (value == NULL || value[0] == '\0')
        return refuse(w, NULL, "the variable is %s", value ? "empty" : "not set");
    out->len = strlen(value);
    out->data = mem_dup(value, out->len + 1);
    return 0;
}

static int read_descriptor(const struct wanted *w, struct file *out)
{
    const char *number = w->path + strlen("fd:");
    uint64_t fd;

    if (!str_u64(str_span(number), INT_MAX, &fd))
        return refuse(w, NULL, "not the number of a descriptor");
    if (fcntl((int)fd, F_GETFD) < 0)
        return refuse(w, NULL, "no such descriptor was inherited");
    return read_fd(w, (int)fd, out);
}

/* Wipes and frees what was read of a file that will not do. */
static int done(struct file *out, int rc)
{
    if (rc < 0)
        file_free(out);
    return rc;
}

int file_read(const char *path, struct diag_at where, struct file *out, struct diags *d)
{
    struct wanted w = { path, where, d };

    *out = (struct file){ .path = mem_strdup(path), .where = where };
    return done(out, read_path(&w, out));
}

int file_read_stdin(struct diag_at where, struct file *out, struct diags *d)
{
    struct wanted w = { "standard input", where, d };

    *out = (struct file){ .path = mem_strdup(w.path), .where = where };
    return done(out, read_fd(&w, STDIN_FILENO, out));
}

void file_complain(const char *path, struct diag_at where, int reason, struct diags *d)
{
    (void)refuse_open(&(struct wanted){ path, where, d }, reason);
}

/* One newline at the end is the editor's, not the password's. */
static int trim_password(const struct wanted *w, struct file *out)
{
    if (out->data[out->len - 1] == '\n') {
        out->data[--out->len] = '\0';
        if (out->len > 0 && out->data[out->len - 1] == '\r')
            out->data[--out->len] = '\0';
    }
    if (memchr(out->data, '\0', out->len) != NULL) {
        bool utf16 = memcmp(out->data, "\xff\xfe", 2) == 0 || memcmp(out->data, "\xfe\xff", 2) == 0;
        return refuse(w, utf16 ? mem_strdup("it is UTF-16: save it as UTF-8") : NULL,
                      "a password cannot hold a NUL byte");
    }
    return 0;
}

int file_password(const char *spec, struct diag_at where, struct file *out, struct diags *d)
{
    struct wanted w = { spec, where, d };
    int rc;

    *out = (struct file){ .path = mem_strdup(spec), .where = where };
    if (strncmp(spec, "env:", 4) == 0)
        rc = read_variable(&w, out);
    else if (strncmp(spec, "fd:", 3) == 0)
        rc = read_descriptor(&w, out);
    else
        rc = read_path(&w, out);
    return done(out, rc < 0 ? rc : trim_password(&w, out));
}

void file_free(struct file *f)
{
    mem_wipe_free(f->data, f->len);
    free(f->path);
    *f = (struct file){ 0 };
}
