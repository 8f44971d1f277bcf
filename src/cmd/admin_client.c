#include "cmd/admin_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/cmd.h"
#include "conf/schema.h"
#include "conf/source.h"
#include "proto/http1.h"

#define ANSWER_MAX (64u * 1024 * 1024)

#define HUP_HINT "is it running?"

/* --- where --- */

static bool is_admin(const struct setting *s)
{
    return s->key != NULL && strcmp(s->section, conf_sections[SECTION_PROXY]) == 0
        && strcmp(s->key, conf_keys[KEY_PROXY_ADMIN].key) == 0;
}

/* What is looked for: a Unix socket; where one only looks, a TCP address is good as well. */
struct search {
    bool looks;
    struct addr found;          /* the first Unix socket, or, of who only looks, what there is */
    size_t n;                   /* addresses there are */
    const char *place;          /* where the last of them was set */
};

static bool is_good(const struct search *s)
{
    return s->found.len > 0 && (s->looks || s->found.u.sa.sa_family == AF_UNIX);
}

static void search_in(const struct settings *settings, struct search *s, struct diags *d)
{
    for (size_t i = 0; i < settings->n; i++) {
        const struct setting *g = &settings->v[i];
        struct err e = ERR_INIT;
        struct addr a;
        if (!is_admin(g))
            continue;
        s->n++;
        s->place = g->file;
        if (addr_parse(str_span(g->value), &a, &e) != 0)
            diag_add(d, DIAG_ERROR,
                     (struct diag_at){ { g->file, g->line }, NULL, g->key, g->value }, NULL, "%s",
                     e.text);
        else if (s->found.len == 0
                 || (a.u.sa.sa_family == AF_UNIX && s->found.u.sa.sa_family != AF_UNIX))
            s->found = a;
    }
}

int admin_client_find(const struct invocation *inv, bool looks, struct addr *out,
                      struct diags *d)
{
    struct settings file = { 0 };
    struct diags of_file = { 0 };
    struct search s = { .looks = looks };
    const char *where = inv->config_path;

    search_in(&inv->overrides, &s, d);
    if (s.n > 0)
        where = s.place;
    /* What else is wrong with the file is for the running one to say. */
    if (s.n == 0 && inv->config_path != NULL) {
        source_read(inv->config_path, &file, &of_file);
        search_in(&file, &s, d);
        if (s.n == 0)
            diags_print(&of_file, stderr);
    }
    bool found = is_good(&s);
    if (!found && d->errors == 0)
        diag_add(d, DIAG_ERROR, (struct diag_at){ { where, 0 }, NULL, NULL, NULL },
                 looks ? "set [proxy] admin = unix:/run/sallyport/admin.sock, or name the address "
                         "with --admin"
                       : "set [proxy] admin = unix:/run/sallyport/admin.sock, or name the socket "
                         "with --admin; HUP reloads without one",
                 s.n > 0 ? "no admin address is a Unix socket"
                 : of_file.errors > 0 ? "no admin address can be read there"
                                      : "there is no admin address");
    *out = s.found;
    settings_free(&file);
    diags_free(&of_file);
    return found ? 0 : -1;
}

/* --- the exchange --- */

static int dial(const struct addr *to, unsigned patience_s, struct err *e)
{
    struct timeval patience = { .tv_sec = patience_s };
    int fd = socket(to->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_set(e, "cannot make a socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, &to->u.sa, to->len) == 0)
        return fd;
    err_set(e, "cannot connect");

    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int send_all(int fd, const char *p, size_t len, struct err *e)
{
    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(e, "cannot send");
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* To the end of the connection. The caller's to free(), also on failure. */
static int receive_all(int fd, char **bytes, size_t *len, struct err *e)
{
    size_t cap = 0;

    for (*len = 0; *len < ANSWER_MAX;) {
        if (cap - *len < 4096)
            *bytes = mem_grow(*bytes, cap += 16384, 1);
        ssize_t n = recv(fd, *bytes + *len, cap - *len - 1, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return err_setx(e, "no answer came in time; see its log");
        if (n < 0)
            return err_set(e, "cannot receive the answer");
        if (n == 0) {
            (*bytes)[*len] = '\0';
            return 0;
        }
        *len += (size_t)n;
    }
    return err_setx(e, "the answer is too long");
}

/* "HTTP/1.1 200 OK": the status, or 0. */
static unsigned status_of(const char *head)
{
    unsigned status;

    return sscanf(head, "HTTP/1.1 %3u ", &status) == 1 ? status : 0;
}

/* Whether the body is there to its last byte. */
static bool is_whole(struct span head, size_t body_len)
{
    const char *line_end = memchr(head.p, '\n', head.len);
    struct span rest, name, value;
    uint64_t length;

    if (line_end == NULL)
        return false;
    rest = (struct span){ line_end + 1, head.len - (size_t)(line_end + 1 - head.p) };
    while (http1_field_next(&rest, &name, &value))
        if (name.len == strlen("Content-Length") && strncasecmp(name.p, "Content-Length", 14) == 0)
            return str_u64(value, ANSWER_MAX, &length) && length == body_len;
    return false;
}

/* Who answers speaks with strangers, and may be no friend by now: none of what it says shall
   command the terminal of whoever asks, who is root more often than not. */
static void disarm(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++)
        if ((*p < 0x20 && *p != '\n') || *p == 0x7f)
            *p = '?';
        else if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)   /* the same in UTF-8 */
            p[0] = p[1] = '?';
}

static int read_answer(int fd, struct admin_answer *out, struct err *e)
{
    char *bytes = NULL;
    size_t len, seen = 0;
    int rc = receive_all(fd, &bytes, &len, e);
    size_t head = rc == 0 ? http1_head_end(bytes, len, &seen) : 0;

    if (rc == 0) {
        out->status = head > 0 ? status_of(bytes) : 0;
        if (out->status == 0 && len > 0)
            rc = err_setx(e, "what answered is no admin address");
        else if (out->status == 0 || !is_whole((struct span){ bytes, head }, len - head))
            rc = err_setx(e, "it ended before it had answered; see its log");
    }
    if (rc == 0) {
        out->len = len - head;
        out->body = mem_strndup(bytes + head, out->len);
        disarm(out->body);
    }
    free(bytes);
    return rc;
}

static const char *hint_for(int error)
{
    switch (error) {
    case ENOENT:
    case ECONNREFUSED: return HUP_HINT;
    case EACCES: return "only root and the user that sallyport runs as may";
    default: return NULL;
    }
}

int admin_client_ask(const struct addr *to, const char *method, const char *path,
                     unsigned patience_s, struct admin_answer *out, struct diags *d)
{
    char text[ADDR_TEXT_MAX];
    struct diag_at where = { { addr_text(to, text), 0 }, NULL, NULL, NULL };
    struct err e = ERR_INIT;
    int fd = dial(to, patience_s, &e);

    if (fd < 0) {
        diag_add(d, DIAG_ERROR, where, hint_for(errno), "%s", e.text);
        return -1;
    }
    char *request = mem_printf("%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n", method, path);
    int rc = send_all(fd, request, strlen(request), &e);
    if (rc == 0)
        rc = read_answer(fd, out, &e);
    if (rc != 0)
        diag_add(d, DIAG_ERROR, where, NULL, "%s", e.text);
    free(request);
    close(fd);
    return rc;
}

static int show(const struct admin_answer *a)
{
    size_t last = a->len > 0 ? a->len - 1 : 0;

    while (last > 0 && a->body[last - 1] != '\n')
        last--;
    bool good = a->status == 200;
    fprintf(stderr, "%.*s", (int)last, a->body);
    fputs(a->body + last, good ? stdout : stderr);
    return good ? EXIT_OK : EXIT_FAILED;
}

int admin_client_post(const struct invocation *inv, const char *path, unsigned patience_s)
{
    struct diags d = { 0 };
    struct addr to;
    struct admin_answer answer = { 0 };
    int rc = EXIT_FAILED;

    if (admin_client_find(inv, false, &to, &d) == 0
        && admin_client_ask(&to, "POST", path, patience_s, &answer, &d) == 0)
        rc = show(&answer);
    diags_print(&d, stderr);
    free(answer.body);
    diags_free(&d);
    return rc;
}
