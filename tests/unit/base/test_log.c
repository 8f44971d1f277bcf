#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "capture.h"

#define TIME "0000-00-00T00:00:00.000000Z"

/* A text line without its time, which is checked for its form only. */
static const char *without_time(const char *line)
{
    for (size_t i = 0; i < strlen(TIME); i++) {
        bool digit = TIME[i] == '0';
        cr_assert(digit ? line[i] >= '0' && line[i] <= '9' : line[i] == TIME[i], "%s", line);
    }
    return line + strlen(TIME);
}

static void one_of_each(void)
{
    struct logline l;

    logline_begin(&l, LOG_LEVEL_INFO, "closed");
    logline_str(&l, "route", "cql");
    logline_str(&l, "sni", NULL);
    logline_str(&l, "empty", "");
    logline_str(&l, "subject", "CN=alice, OU=ops");
    logline_span(&l, "alpn", (struct span){ "h2", 2 });
    logline_span(&l, "none", (struct span){ NULL, 0 });
    logline_u64(&l, "in", 18446744073709551615u);
    logline_ms(&l, "total", 12345);
    logline_end(&l);
}

Test(log, text_line)
{
    capture_begin(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    one_of_each();
    cr_assert_str_eq(without_time(capture_end()),
                     " info  closed route=cql empty=\"\" subject=\"CN=alice, OU=ops\" alpn=h2"
                     " in=18446744073709551615 total=12.345\n");
}

Test(log, json_line)
{
    capture_begin(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    one_of_each();
    const char *line = capture_end();

    cr_assert(json_is_valid(line), "%s", line);
    cr_assert_eq(strncmp(line, "{\"time\":\"", 9), 0);
    cr_assert_str_eq(without_time(line + 9),
                     "\",\"level\":\"info\",\"message\":\"closed\",\"route\":\"cql\","
                     "\"empty\":\"\",\"subject\":\"CN=alice, OU=ops\",\"alpn\":\"h2\","
                     "\"in\":18446744073709551615,\"total\":12.345}\n");
}

Test(log, levels_above_the_sinks_are_left_out)
{
    struct logline l;

    capture_begin(LOG_FORMAT_TEXT, LOG_LEVEL_WARN);
    cr_assert(log_wants(LOG_LEVEL_ERROR));
    cr_assert(log_wants(LOG_LEVEL_WARN));
    cr_assert_not(log_wants(LOG_LEVEL_INFO));
    log_error("one");
    log_warn("two");
    log_info("three");
    log_debug("four");
    logline_begin(&l, LOG_LEVEL_INFO, "five");
    logline_str(&l, "key", "value");
    logline_u64(&l, "n", 1);
    logline_end(&l);

    const char *text = capture_end();
    cr_assert_str_eq(strstr(text, "error"), strstr(text, "error one\n"), "%s", text);
    cr_assert_not_null(strstr(text, "warn  two\n"), "%s", text);
    cr_assert_null(strstr(text, "three"));
    cr_assert_null(strstr(text, "four"));
    cr_assert_null(strstr(text, "five"));
}

/* Bytes a peer may choose: quotes, an escape of its own, a forged line, a terminal
   control, a NUL, bytes that are no UTF-8. */
static const char evil[] = "a\"b\\x41\n2026-01-01 info forged=1\r\x1b[2J\0\xff\xfe=";
static const struct span evil_span = { evil, sizeof(evil) - 1 };
#define EVIL_SHOWN "a\\\"b\\\\x41\\x0a2026-01-01 info forged=1\\x0d\\x1b[2J\\x00\\xff\\xfe="

Test(log, peer_bytes_are_escaped_in_text)
{
    struct logline l;

    capture_begin(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    logline_begin(&l, LOG_LEVEL_INFO, "failed");
    logline_span(&l, "sni", evil_span);
    logline_end(&l);
    cr_assert_str_eq(without_time(capture_end()), " info  failed sni=\"" EVIL_SHOWN "\"\n");
}

Test(log, peer_bytes_are_escaped_in_json)
{
    char sni[256];
    struct logline l;

    capture_begin(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    logline_begin(&l, LOG_LEVEL_INFO, "failed");
    logline_span(&l, "sni", evil_span);
    logline_end(&l);

    const char *line = capture_end();
    cr_assert(json_is_valid(line), "%s", line);
    cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1, "one line");
    cr_assert(json_member(line, "sni", sni, sizeof(sni)));
    /* The reader sees what the text format has between its quotes, but for \", so a
       line break that was sent and the four characters \x0a that were sent differ. */
    cr_assert_str_eq(sni, "a\"b\\\\x41\\x0a2026-01-01 info forged=1\\x0d\\x1b[2J\\x00\\xff\\xfe=");
}

Test(log, values_that_could_be_misread_stand_in_quotes)
{
    static const char *const quoted[] = { "a b", "a=b", "", "a\"b", "a\\b", "\x7f", "\xc3\xbc" };
    static const char *const plain[] = { "cql", "127.0.0.1:9042", "uri:spiffe://x/y", "[::1]:443" };
    char needle[64];

    for (size_t i = 0; i < sizeof(quoted) / sizeof(quoted[0]); i++) {
        struct logline l;
        capture_begin(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
        logline_begin(&l, LOG_LEVEL_INFO, "m");
        logline_str(&l, "k", quoted[i]);
        logline_end(&l);
        cr_assert_not_null(strstr(capture_end(), " k=\""), "\"%s\"", quoted[i]);
    }
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        struct logline l;
        capture_begin(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
        logline_begin(&l, LOG_LEVEL_INFO, "m");
        logline_str(&l, "k", plain[i]);
        logline_end(&l);
        snprintf(needle, sizeof(needle), " k=%s\n", plain[i]);
        cr_assert_not_null(strstr(capture_end(), needle), "%s", plain[i]);
    }
}

Test(log, messages_keep_their_escapes_and_lose_their_line_breaks)
{
    char message[128];

    capture_begin(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    log_info("alpn = \"%s\": broken\\x01", "h2\nerror forged");
    cr_assert_str_eq(without_time(capture_end()),
                     " info  alpn = \"h2\\x0aerror forged\": broken\\x01\n");

    capture_begin(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    log_info("alpn = \"%s\": broken\\x01", "h2\nerror forged");
    const char *line = capture_end();
    cr_assert(json_is_valid(line), "%s", line);
    cr_assert(json_member(line, "message", message, sizeof(message)));
    cr_assert_str_eq(message, "alpn = \"h2\\x0aerror forged\": broken\\x01");
}

/* Every length around the end of the room, with each kind of byte at the cut. */
static void long_line(enum log_format format, size_t message_len, size_t value_len, char fill)
{
    static char text[2 * LOGLINE_MAX];
    struct logline l;

    memset(text, fill, sizeof(text));
    text[message_len] = '\0';
    capture_begin(format, LOG_LEVEL_INFO);
    logline_begin(&l, LOG_LEVEL_INFO, text);
    text[message_len] = fill;
    logline_span(&l, "first", (struct span){ text, value_len });
    logline_str(&l, "second", "value");
    logline_u64(&l, "third", UINT64_MAX);
    logline_ms(&l, "fourth", UINT64_MAX);
    logline_end(&l);

    const char *line = capture_end();
    size_t n = strlen(line);
    cr_assert_leq(n, LOGLINE_MAX, "%zu bytes: lines of several processes would mix", n);
    cr_assert_eq(strchr(line, '\n'), line + n - 1, "one line, ended by a newline");
    if (format == LOG_FORMAT_JSON)
        cr_assert(json_is_valid(line), "message %zu, value %zu: %s", message_len, value_len,
                  line + n - 80);
}

Test(log, lines_that_are_too_long_stay_whole)
{
    static const char fills[] = { 'x', '"', '\\', '\n', '\xff' };

    for (size_t i = 0; i < sizeof(fills); i++) {
        for (enum log_format f = LOG_FORMAT_TEXT; f <= LOG_FORMAT_JSON; f++) {
            for (size_t n = LOGLINE_MAX - 220; n < LOGLINE_MAX + 10; n++) {
                long_line(f, 5, n, fills[i]);
                long_line(f, n, 5, fills[i]);
            }
            for (size_t n = LOGLINE_MAX / 5 - 60; n < LOGLINE_MAX / 2; n += 3)
                long_line(f, 5, n, fills[i]);
        }
    }
}

Test(log, log_line_cuts_what_is_too_long)
{
    static char text[3 * LOGLINE_MAX];

    memset(text, 'x', sizeof(text) - 1);
    capture_begin(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    log_info("%s", text);
    const char *line = capture_end();
    cr_assert(json_is_valid(line));
    cr_assert_gt(strlen(line), LOGLINE_MAX - 10);
    cr_assert_leq(strlen(line), LOGLINE_MAX);
}

Test(log, a_full_pipe_does_not_stop_the_work)
{
    capture_begin(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    for (int i = 0; i < 3000; i++)
        log_info("line %d: %0100d", i, 0);
    const char *text = capture_end();
    cr_assert_gt(strlen(text), 50000);
    cr_assert_null(strstr(text, "line 2999:"), "the pipe cannot have held them all");
}

Test(log, the_sink_is_given_back)
{
    struct log_sink s = log_get();

    cr_assert_eq(s.fd, 2);
    cr_assert_eq(s.format, LOG_FORMAT_TEXT);
    cr_assert_eq(s.level, LOG_LEVEL_INFO);
    s.level = LOG_LEVEL_DEBUG;
    log_set(&s);
    cr_assert_eq(log_get().level, LOG_LEVEL_DEBUG);
}
