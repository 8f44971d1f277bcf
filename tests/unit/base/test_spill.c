#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/spill.h"

static char line[1000];

static void make_pipe(int fds[2])
{
    cr_assert_eq(pipe(fds), 0);
    memset(line, 'x', sizeof(line));
    line[sizeof(line) - 1] = '\n';
    fcntl(fds[0], F_SETFL, O_NONBLOCK);     /* our end; the writer's stays blocking */
}

static size_t read_all(int fd)
{
    static char waste[65536];
    size_t got = 0;

    for (ssize_t n; (n = read(fd, waste, sizeof(waste))) > 0;)
        got += (size_t)n;
    return got;
}

/* The test's time limit is the assertion that nothing waits. */
Test(spill, a_reader_that_stalls_stops_nobody, .timeout = 10)
{
    struct spill s = { 0 };
    int fds[2];

    make_pipe(fds);
    for (int i = 0; i < 1000; i++)
        (void)spill_write(&s, fds[1], line, sizeof(line));
    cr_expect(s.len > 0 && s.len <= SPILL_MAX);
    cr_expect(s.dropped > 0);

    /* The reader comes back: what waited arrives, and nothing but whole lines was lost. */
    size_t got = read_all(fds[0]);
    while (!spill_flush(&s, fds[1], 0))
        got += read_all(fds[0]);
    got += read_all(fds[0]);
    cr_expect_eq(got, (1000 - s.dropped) * sizeof(line));
    cr_expect_null(s.waiting, "an idle log holds no memory");
    cr_expect(spill_write(&s, fds[1], line, sizeof(line)));
    cr_expect_eq(read_all(fds[0]), sizeof(line));
    close(fds[0]);
    close(fds[1]);
}

Test(spill, a_full_disk_is_counted_and_keeps_nothing)
{
    struct spill s = { 0 };
    int fd = open("/dev/full", O_WRONLY);

    cr_assert(fd >= 0);
    cr_expect_not(spill_write(&s, fd, line, sizeof(line)));
    cr_expect_eq(s.len, 0);
    cr_expect_eq(s.dropped, 1);
    close(fd);
}
