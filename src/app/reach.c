#include "app/reach.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/file.h"

#define SHOWN 3u                /* findings; the rest is a number */
#define TOLD_MAX (16u * 1024 * 1024)

/* A folder that shuts out from many files is one finding; its hint names it. */
static void complain(const char *path, struct diags *found)
{
    struct diags d = { 0 };
    bool known = false;

    file_complain(path, (struct diag_at){ 0 }, EACCES, &d);
    for (size_t i = 0; i < found->n && d.v[0].hint != NULL; i++)
        known = known || strcmp(found->v[i].hint, d.v[0].hint) == 0;
    if (!known && d.v[0].hint != NULL)
        diags_put(found, &d.v[0]);
    diags_free(&d);
}

/* A file, or a folder with all in it, `deep` levels down. */
static void look(const char *path, unsigned deep, struct diags *found)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat st;
    DIR *dir = NULL;

    if (fd < 0 && errno == EACCES)
        complain(path, found);
    if (fd >= 0 && deep > 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
        dir = fdopendir(fd);
    for (struct dirent *e; dir != NULL && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        char *inner = mem_printf("%s/%s", path, e->d_name);
        look(inner, deep - 1, found);
        free(inner);
    }
    if (dir != NULL)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
}

static void write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno != EINTR)
            return;
        p += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
}

static _Noreturn void look_and_exit(const struct privs *who, const struct watch_path *v, size_t n,
                                    int out)
{
    struct diags found = { 0 };
    struct err e;
    char *bytes;
    size_t len;

    if (privs_drop(who, &e) == 0)
        for (size_t i = 0; i < n; i++)
            look(v[i].path, 2, &found);
    diags_pack(&found, &bytes, &len);
    write_all(out, bytes, len);
    _exit(0);
}

static char *read_all(int fd, size_t *len)
{
    char *all = NULL;
    size_t room = 0;
    ssize_t n = 1;

    *len = 0;
    while (n != 0 && *len < TOLD_MAX) {
        if (*len == room) {
            room = room ? 2 * room : 4096;
            all = mem_grow(all, room, 1);
        }
        n = read(fd, all + *len, room - *len);
        if (n < 0 && errno != EINTR)
            break;
        *len += n > 0 ? (size_t)n : 0;
    }
    return all;
}

/* What that user finds; nothing when it cannot be asked. */
static void ask(const struct privs *who, const struct watch_path *v, size_t n, struct diags *found)
{
    int pipes[2];
    size_t len;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0)
        look_and_exit(who, v, n, pipes[1]);
    close(pipes[1]);
    char *bytes = read_all(pipes[0], &len);
    close(pipes[0]);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    if (pid > 0)
        (void)diags_unpack(bytes, len, found);
    free(bytes);
}

void reach_warn(const struct privs *who, const struct conf_proxy *p, const struct watch_path *v,
                size_t n, struct diags *d)
{
    struct diag_at at = conf_at(&p->head, KEY_PROXY_USER, p->user);
    struct diags found = { 0 };

    ask(who, v, n, &found);
    for (size_t i = 0; i < found.n && i < SHOWN; i++)
        diag_add(d, DIAG_WARNING, at, found.v[i].hint,
                 "reloads read the files as that user, and will fail: %s", found.v[i].message);
    if (found.n > SHOWN)
        diag_add(d, DIAG_WARNING, at, NULL, "reloads will fail for %zu more files as well",
                 found.n - SHOWN);
    diags_free(&found);
}
