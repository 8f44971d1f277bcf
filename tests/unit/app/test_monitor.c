#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/channel.h"
#include "app/memfile.h"
#include "app/monitor.h"
#include "app/outcome.h"
#include "net/sock.h"
#include "scratch.h"

static struct loop *loop;
static struct monitor *monitor;
static struct accounts *accounts;
static struct channel *master;      /* our end */
static struct addr local, tcp;
static char dir[SCRATCH_PATH_MAX];

static struct {
    unsigned ready, reloads, ended;
    uint64_t number;                /* of the last RELOAD */
} heard;

static void on_message(void *arg, struct channel_msg *m)
{
    (void)arg;
    heard.ready += m->kind == CHANNEL_READY;
    if (m->kind == CHANNEL_RELOAD) {
        heard.reloads++;
        heard.number = m->number;
    }
}

static void on_closed(void *arg)
{
    (void)arg;
}

static void on_done(void *arg)
{
    (void)arg;
    heard.ended++;
}

static int listen_on(const char *text, struct addr *a)
{
    struct err e = ERR_INIT;

    cr_assert_eq(addr_parse((struct span){ text, strlen(text) }, a, &e), 0, "%s", e.text);
    int fd = sock_listen(a, 16, &e);
    cr_assert_geq(fd, 0, "%s", e.text);
    if (a->u.sa.sa_family != AF_UNIX)
        cr_assert_eq(sock_local_addr(fd, a), 0);
    return fd;
}

static void setup(void)
{
    struct err e = ERR_INIT;
    char text[SCRATCH_PATH_MAX + 16];
    int ends[2];

    scratch_make(dir);
    snprintf(text, sizeof(text), "unix:%s/s", dir);
    int sockets[2] = { listen_on(text, &local), listen_on("127.0.0.1:0", &tcp) };
    cr_assert_eq(channel_pair(ends, &e), 0);
    loop = loop_new(&e);
    master = channel_new(loop, ends[0], on_message, on_closed, NULL);
    accounts = accounts_new(1);
    cr_assert_not_null(accounts);
    monitor = monitor_new(loop, ends[1], sockets, 2, accounts, on_done, NULL, &e);
    cr_assert_not_null(monitor, "%s", e.text);
}

static void teardown(void)
{
    monitor_free(monitor);
    accounts_free(accounts);
    channel_free(master);
    loop_free(loop);
    scratch_remove(dir);
}

TestSuite(monitor, .init = setup, .fini = teardown);

static void on_time(void *arg)
{
    loop_stop(arg);
}

static void turn(void)
{
    struct loop_timer *t = loop_timer_new(loop, on_time, loop);

    loop_timer_set(t, 10);
    loop_run(loop);
    loop_timer_free(t);
}

static int ask(const struct addr *to, const char *request_line, const char *fields)
{
    char text[512];
    int fd = socket(to->u.sa.sa_family, SOCK_STREAM, 0);
    int n = snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", request_line,
                     fields);

    cr_assert_eq(connect(fd, &to->u.sa, to->len), 0);
    cr_assert_eq(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
    return fd;
}

/* The answer to its end; NULL if there is none yet. */
static const char *answer(int fd, int turns)
{
    static char got[8192];
    size_t len = 0;

    for (int i = 0; i < turns; i++) {
        turn();
        ssize_t n;
        while ((n = recv(fd, got + len, sizeof(got) - 1 - len, MSG_DONTWAIT)) > 0)
            len += (size_t)n;
        got[len] = '\0';
        if (n == 0) {
            close(fd);
            return got;
        }
    }
    return NULL;
}

static void expect(int fd, const char *status, const char *body)
{
    const char *got = answer(fd, 500);

    cr_assert_not_null(got);
    cr_expect_eq(strncmp(got + strlen("HTTP/1.1 "), status, 3), 0, "%s", got);
    cr_expect_not_null(strstr(got, body), "%s", got);
}

static void await_reloads(unsigned n)
{
    for (int i = 0; i < 500 && heard.reloads < n; i++)
        turn();
    cr_assert_eq(heard.reloads, n);
}

static void tell(uint64_t number, bool ok, uint64_t generation, const char *finding)
{
    struct outcome o = { .ok = ok, .generation = generation };
    struct channel_msg m = { .kind = CHANNEL_RELOADED, .number = number, .nfds = 1 };

    if (finding != NULL)
        diag_add(&o.findings, DIAG_ERROR, (struct diag_at){ { "f.conf", 7 }, NULL, NULL, NULL },
                 NULL, "%s", finding);
    int fd = outcome_write(&o);
    m.fds = &fd;
    cr_assert_eq(channel_send(master, &m), 0);
    close(fd);
    outcome_free(&o);
}

Test(monitor, says_that_it_is_ready_and_alive)
{
    expect(ask(&tcp, "GET /healthz", ""), "200", "\r\n\r\nok\n");
    cr_expect_eq(heard.ready, 1);
    expect(ask(&local, "GET /healthz", ""), "200", "\r\n\r\nok\n");
    expect(ask(&local, "DELETE /healthz", ""), "405", "\r\nAllow: GET, HEAD\r\n");
    expect(ask(&local, "GET /none", ""), "404", "");
}

Test(monitor, reloads_over_a_unix_socket_alone)
{
    expect(ask(&tcp, "POST /reload", ""), "403", "");
    expect(ask(&local, "GET /reload", ""), "405", "\r\nAllow: POST\r\n");
    cr_expect_eq(heard.reloads, 0);

    int fd = ask(&local, "POST /reload", "");
    await_reloads(1);
    cr_expect_null(answer(fd, 3), "not before it has ended");
    tell(heard.number, true, 5, NULL);
    expect(fd, "200", "{\"ok\": true, \"generation\": 5, \"findings\": []");
}

Test(monitor, tells_a_failure_as_json_or_as_lines)
{
    int json = ask(&local, "POST /reload", "");
    await_reloads(1);
    tell(heard.number, false, 4, "wrong");
    expect(json, "409", "\"ok\": false, \"generation\": 4, \"findings\": [\n"
                        "  {\"level\": \"error\", \"file\": \"f.conf\", \"line\": 7");
    int text = ask(&local, "POST /reload", "Accept: text/plain\r\n");
    await_reloads(2);
    tell(heard.number, false, 4, "wrong");
    expect(text, "409", "f.conf:7: error: wrong\nreload failed: generation 4 stays in force\n");
}

Test(monitor, who_asks_during_a_reload_waits_for_the_next)
{
    int first = ask(&local, "POST /reload", "");
    await_reloads(1);
    int second = ask(&local, "POST /reload", ""), third = ask(&local, "POST /reload", "");
    cr_expect_null(answer(second, 5));
    cr_expect_eq(heard.reloads, 1);
    tell(heard.number, true, 2, NULL);
    expect(first, "200", "\"generation\": 2");
    await_reloads(2);
    tell(heard.number, true, 3, NULL);
    expect(second, "200", "\"generation\": 3");
    expect(third, "200", "\"generation\": 3");
    cr_expect_eq(heard.reloads, 2);
}

Test(monitor, an_answer_that_nobody_asked_for_or_that_is_damaged_does_no_harm)
{
    tell(1, true, 9, NULL);
    int fd = ask(&local, "POST /reload", "");
    await_reloads(1);
    tell(heard.number + 1, true, 9, NULL);
    cr_expect_null(answer(fd, 5));

    int bad = memfile_write("bad", "x", 1);
    struct channel_msg m = {
        .kind = CHANNEL_RELOADED, .number = heard.number, .fds = &bad, .nfds = 1
    };
    cr_assert_eq(channel_send(master, &m), 0);
    close(bad);
    expect(fd, "503", "in the log");
}

Test(monitor, who_hung_up_is_forgotten)
{
    unsigned before = scratch_open_fds();

    close(ask(&local, "POST /reload", ""));
    await_reloads(1);
    for (int i = 0; i < 500 && scratch_open_fds() > before; i++)
        turn();
    cr_expect_eq(scratch_open_fds(), before);
    tell(heard.number, true, 2, NULL);
    int fd = ask(&local, "POST /reload", "");
    await_reloads(2);
    tell(heard.number, true, 3, NULL);
    expect(fd, "200", "\"generation\": 3");
}

Test(monitor, web_pages_are_refused_on_tcp)
{
    expect(ask(&tcp, "GET /healthz", "Origin: http://localhost\r\n"), "403", "");

    int fd = socket(AF_INET, SOCK_STREAM, 0);
    const char *request = "GET /healthz HTTP/1.1\r\nHost: evil.example:80\r\n\r\n";
    cr_assert_eq(connect(fd, &tcp.u.sa, tcp.len), 0);
    cr_assert_eq(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
    expect(fd, "403", "");
}

Test(monitor, ends_with_the_master_and_says_so_to_who_waits)
{
    int fd = ask(&local, "POST /reload", "");
    await_reloads(1);
    channel_free(master);
    master = NULL;
    expect(fd, "503", "has ended");
    cr_expect_eq(heard.ended, 1);
}
