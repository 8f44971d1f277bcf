#include "app/admin_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/inherited.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/sock.h"

#define UNIX_UMASK 0177         /* 0600, from the very bind() on */

struct owned_file {             /* of a Unix socket, to know it again */
    dev_t dev;
    ino_t ino;
};

struct admin_sockets {
    int *fds;
    struct addr *wanted;        /* as the configuration has them */
    struct addr *addrs;         /* as they came out: port 0 is filled in */
    struct owned_file *files;
    size_t n;
};

static bool is_unix(const struct addr *a)
{
    return a->u.sa.sa_family == AF_UNIX;
}

/* Who becomes nobody else keeps what it makes. By a descriptor: in a folder that another user may
   write, the name could stand for something else by now, and root must not give that away. */
static int settle_file(const char *path, const struct privs *who, struct owned_file *f,
                       struct err *e)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc = 0;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0)
        rc = err_set(e, "cannot find the socket's file");
    else if (!S_ISSOCK(st.st_mode))
        rc = err_setx(e, "another file took the place of the socket");
    else if (who->change && fchownat(fd, "", who->uid, who->gid, AT_EMPTY_PATH) != 0)
        rc = err_set(e, "cannot give the socket to the user it is for");
    else
        *f = (struct owned_file){ st.st_dev, st.st_ino };
    if (fd >= 0)
        close(fd);
    return rc;
}

static void remove_file(const char *path, const struct owned_file *f)
{
    struct stat st;

    /* A new instance may have replaced it with its own: that one stays. */
    if (lstat(path, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino)
        (void)unlink(path);
}

#define KEY_MAX (ADDR_TEXT_MAX + 8)

static const char *key_of(const struct addr *a, char out[KEY_MAX])
{
    char text[ADDR_TEXT_MAX];

    snprintf(out, KEY_MAX, "admin %s", addr_text(a, text));
    return out;
}

static int bind_new(const struct addr *a, struct err *e)
{
    char key[KEY_MAX];
    int fd = inherited_take(key_of(a, key));

    if (fd >= 0)
        return fd;
    mode_t before = umask(UNIX_UMASK);
    fd = sock_listen(a, SOMAXCONN, e);
    int error = errno;
    (void)umask(before);
    errno = error;
    return fd;
}

static int open_one(struct admin_sockets *s, const struct addr *a, const struct privs *who,
                    struct err *e)
{
    int fd = addr_is_systemd(a) ? inherited_from_name(a, e) : bind_new(a, e);

    if (fd < 0)
        return -1;

    size_t i = s->n++;
    s->fds[i] = fd;
    s->wanted[i] = *a;
    s->addrs[i] = *a;
    if (is_unix(a))
        return settle_file(a->u.un.sun_path, who, &s->files[i], e);
    return sock_local_addr(fd, &s->addrs[i]) == 0 ? 0 : err_set(e, "cannot read back the address");
}

/* What to do about it; the caller's to free(), or NULL. */
static char *hint_for(const struct addr *a, int error)
{
    const char *path = a->u.un.sun_path, *end = is_unix(a) ? strrchr(path, '/') : NULL;
    int len = end != NULL && end > path ? (int)(end - path) : 1;

    if (addr_is_systemd(a))
        return inherited_hint(a);
    if (end != NULL && error == ENOENT)
        return mem_printf("make the folder %.*s (with systemd: RuntimeDirectory=)", len, path);
    if (end != NULL && error == EACCES)
        return mem_printf("the folder %.*s has to be writable for who starts sallyport", len,
                          path);
    if (error == EADDRINUSE)
        return mem_strdup(is_unix(a) ? "another program listens there, or the file is no socket"
                                     : "another program listens there");
    if (error == EADDRNOTAVAIL)
        return mem_strdup("this host has no such address");
    return NULL;
}

struct admin_sockets *admin_sockets_open(const struct conf_proxy *p, const struct privs *who,
                                         struct diags *d)
{
    struct admin_sockets *s = mem_zalloc(sizeof(*s));
    size_t wanted = p->admin.n;
    bool good = true;

    s->fds = mem_zalloc((wanted + 1) * sizeof(s->fds[0]));
    s->wanted = mem_zalloc((wanted + 1) * sizeof(s->wanted[0]));
    s->addrs = mem_zalloc((wanted + 1) * sizeof(s->addrs[0]));
    s->files = mem_zalloc((wanted + 1) * sizeof(s->files[0]));
    for (size_t i = 0; i < wanted; i++) {
        const struct addr *a = &p->admin.v[i];
        char text[ADDR_TEXT_MAX];
        struct err e = ERR_INIT;
        if (open_one(s, a, who, &e) == 0)
            continue;
        char *hint = hint_for(a, errno);
        diag_add(d, DIAG_ERROR, conf_at(&p->head, KEY_PROXY_ADMIN, addr_text(a, text)), hint,
                 "%s", e.text);
        free(hint);
        good = false;
    }
    if (good)
        return s;
    admin_sockets_free(s);
    return NULL;
}

void admin_sockets_free(struct admin_sockets *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->n; i++) {
        if (s->files[i].ino != 0 && !inherited_files_stay())
            remove_file(s->addrs[i].u.un.sun_path, &s->files[i]);
        close(s->fds[i]);
    }
    free(s->fds);
    free(s->addrs);
    free(s->wanted);
    free(s->files);
    free(s);
}

size_t admin_sockets_count(const struct admin_sockets *s)
{
    return s->n;
}

const int *admin_sockets_fds(const struct admin_sockets *s)
{
    return s->fds;
}

void admin_sockets_each(const struct admin_sockets *s,
                        void (*fn)(void *arg, const char *key, int fd), void *arg)
{
    char key[KEY_MAX];

    for (size_t i = 0; i < s->n; i++)
        if (!addr_is_systemd(&s->wanted[i]))
            fn(arg, key_of(&s->wanted[i], key), s->fds[i]);
}

void admin_sockets_log(const struct admin_sockets *s)
{
    for (size_t i = 0; i < s->n; i++) {
        char text[ADDR_TEXT_MAX];
        log_info("admin on %s", addr_text(&s->addrs[i], text));
    }
}
