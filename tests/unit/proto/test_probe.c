#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "proto/probe.h"

static struct err why;

static enum probe_verdict judge(enum probe_kind k, const void *p, size_t n)
{
    /* At its own place, for the sanitizers to see a read behind its end. */
    uint8_t *copy = malloc(n > 0 ? n : 1);

    memcpy(copy, p, n);
    why = (struct err)ERR_INIT;
    enum probe_verdict v = probe_judge(k, copy, n, &why);
    free(copy);
    return v;
}

/* All that is less than an answer is no verdict, and all of it is that one. */
static void expect(enum probe_kind k, const void *p, size_t n, size_t decided,
                   enum probe_verdict verdict, const char *text)
{
    for (size_t i = 0; i < decided; i++)
        cr_assert_eq(judge(k, p, i), PROBE_MORE, "after %zu of %zu bytes", i, n);
    cr_assert_eq(judge(k, p, decided), verdict, "%s", why.text);
    cr_assert_eq(judge(k, p, n), verdict);
    cr_assert_str_eq(why.text, text);
}

#define EXPECT(k, bytes, decided, verdict, text) \
    expect(k, bytes, sizeof(bytes) - 1, decided, verdict, text)

static size_t ask(enum probe_kind k, const char *host, const char *path, uint8_t *out)
{
    struct probe_to to = { .host = host, .path = path };

    return probe_ask(k, &to, out);
}

/* --- http --- */

Test(probe, http_asks_for_the_path)
{
    uint8_t out[PROBE_ASK_MAX];
    size_t n = ask(PROBE_HTTP, "a.example:80", "/live?x=1", out);

    cr_assert_not_null(memmem(out, n, "GET /live?x=1 HTTP/1.1\r\nHost: a.example:80\r\n", 44));
    cr_assert_eq(memcmp(out + n - 4, "\r\n\r\n", 4), 0);
}

Test(probe, http_success_and_redirection_are_up)
{
    EXPECT(PROBE_HTTP, "HTTP/1.1 200 OK\r\n", 13, PROBE_UP, "");
    EXPECT(PROBE_HTTP, "HTTP/1.0 302 Found\r\n", 13, PROBE_UP, "");
    EXPECT(PROBE_HTTP, "HTTP/1.1 204\r\n", 13, PROBE_UP, "");
}

Test(probe, http_errors_are_down)
{
    EXPECT(PROBE_HTTP, "HTTP/1.1 503 Busy\r\n", 13, PROBE_DOWN, "answered HTTP 503");
    EXPECT(PROBE_HTTP, "HTTP/1.1 404 No\r\n", 13, PROBE_DOWN, "answered HTTP 404");
}

Test(probe, http_interim_answers_are_passed_over)
{
    EXPECT(PROBE_HTTP, "HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 500 x", 35, PROBE_DOWN,
           "answered HTTP 500");
}

Test(probe, http_takes_no_other_protocol_for_it)
{
    EXPECT(PROBE_HTTP, "SSH-2.0-OpenSSH_9", 1, PROBE_DOWN, "answered, but not in HTTP/1.1");
    EXPECT(PROBE_HTTP, "HTTP/1.1 2000 OK", 13, PROBE_DOWN,
           "answered in HTTP/1, not in HTTP/1.1");
}

/* --- cql --- */

Test(probe, cql_asks_for_options_in_version_4)
{
    uint8_t out[PROBE_ASK_MAX];

    cr_assert_eq(ask(PROBE_CQL, "x", NULL, out), 9);
    cr_assert_eq(memcmp(out, "\x04\0\0\0\x05\0\0\0\0", 9), 0);
}

Test(probe, cql_supported_is_up)
{
    EXPECT(PROBE_CQL, "\x84\0\0\0\x06\0\0\0\x02\0\0", 9, PROBE_UP, "");
}

Test(probe, cql_that_knows_another_version_is_up)
{
    EXPECT(PROBE_CQL, "\x83\0\0\0\0\0\0\0\x08\0\0\0\x0a\0\x02no", 15, PROBE_UP, "");
}

Test(probe, cql_error_is_down_with_its_words)
{
    EXPECT(PROBE_CQL, "\x84\0\0\0\0\0\0\0\x0d\0\0\x10\x02\0\x07not yet", 22, PROBE_DOWN,
           "answered with the CQL error 1002: not yet");
}

Test(probe, cql_takes_no_other_protocol_for_it)
{
    EXPECT(PROBE_CQL, "HTTP/1.1 400", 1, PROBE_DOWN, "answered in HTTP/1, not in CQL");
    EXPECT(PROBE_CQL, "\x84\0\0\0\x02\0\0\0\0", 9, PROBE_DOWN, "answered, but not in CQL");
}

/* --- grpc --- */

#define SETTINGS "\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64"

Test(probe, grpc_sends_preface_settings_and_a_call)
{
    uint8_t out[PROBE_ASK_MAX];
    size_t n = ask(PROBE_GRPC, "a.example:80", NULL, out);

    cr_assert_eq(memcmp(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", 33), 0);
    cr_assert_not_null(memmem(out, n, "/grpc.health.v1.Health/Check", 28));
    cr_assert_eq(memcmp(out + n - 14, "\0\0\x05\0\x01\0\0\0\x01\0\0\0\0\0", 14), 0);
}

Test(probe, grpc_without_a_health_service_is_up)
{
    EXPECT(PROBE_GRPC, SETTINGS "\0\0\x01\x01\x05\0\0\0\x01\x88", 25, PROBE_UP, "");
}

Test(probe, grpc_says_that_it_serves)
{
    EXPECT(PROBE_GRPC,
           SETTINGS "\0\0\x01\x01\x04\0\0\0\x01\x88" "\0\0\x07\0\0\0\0\0\x01\0\0\0\0\x02\x08\x01",
           41, PROBE_UP, "");
}

Test(probe, grpc_says_that_it_does_not_serve)
{
    EXPECT(PROBE_GRPC,
           SETTINGS "\0\0\x01\x01\x04\0\0\0\x01\x88" "\0\0\x07\0\0\0\0\0\x01\0\0\0\0\x02\x08\x02",
           41, PROBE_DOWN, "its health service says NOT_SERVING");
    EXPECT(PROBE_GRPC, SETTINGS "\0\0\x05\0\0\0\0\0\x01\0\0\0\0\0", 29, PROBE_DOWN,
           "its health service says UNKNOWN");
}

Test(probe, grpc_that_goes_away_is_down)
{
    EXPECT(PROBE_GRPC, SETTINGS "\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0", 32, PROBE_DOWN,
           "answered GOAWAY");
}

Test(probe, grpc_begins_with_settings_or_is_none)
{
    EXPECT(PROBE_GRPC, "HTTP/1.1 400 Bad", 4, PROBE_DOWN, "answered in HTTP/1, not in HTTP/2");
    EXPECT(PROBE_GRPC, "\0\0\x05\x04\0\0\0\0\0", 9, PROBE_DOWN, "answered, but not in HTTP/2");
    EXPECT(PROBE_GRPC, "\x15\x03\x01\0\x02\x02\x46", 4, PROBE_DOWN,
           "answered with a TLS alert: it does not speak plaintext");
}

Test(probe, grpc_padding_that_is_too_long_is_nonsense)
{
    EXPECT(PROBE_GRPC, SETTINGS "\0\0\x02\0\x08\0\0\0\x01\x05x", 26, PROBE_DOWN,
           "answered, but not in HTTP/2");
}

/* --- zookeeper --- */

Test(probe, zookeeper_statistics_are_up)
{
    EXPECT(PROBE_ZOOKEEPER, "Zookeeper version: 3.8.0-1", 19, PROBE_UP, "");
}

Test(probe, zookeeper_without_a_quorum_is_down)
{
    EXPECT(PROBE_ZOOKEEPER, "This ZooKeeper instance is not currently serving requests\n", 57,
           PROBE_DOWN, "says that it is not serving: it may be without a quorum");
}

Test(probe, zookeeper_without_four_letter_words_is_asked_for_a_session)
{
    EXPECT(PROBE_ZOOKEEPER, "srvr is not executed because it is not in the whitelist.\n", 28,
           PROBE_OTHERWISE, "");
}

#define RESPONSE(timeout) \
    "\0\0\0\x25\0\0\0\0\0\0" timeout "\1\2\3\4\5\6\7\x08\0\0\0\x10" "0123456789abcdef\0"

Test(probe, zookeeper_session_is_up_and_ended)
{
    uint8_t out[PROBE_ASK_MAX];

    cr_assert_eq(ask(PROBE_ZOOKEEPER_SESSION, "x", NULL, out), 49);
    cr_assert_eq(out[3], 45);
    EXPECT(PROBE_ZOOKEEPER_SESSION, RESPONSE("\x0f\xa0"), 41, PROBE_UP, "");
    cr_assert_eq(probe_goodbye(PROBE_ZOOKEEPER_SESSION, out), 12);
    cr_assert_eq(memcmp(out, "\0\0\0\x08\0\0\0\x01\xff\xff\xff\xf5", 12), 0);
}

Test(probe, zookeeper_session_that_is_refused_is_down)
{
    EXPECT(PROBE_ZOOKEEPER_SESSION, RESPONSE("\0\0"), 41, PROBE_DOWN, "refused a session");
}

Test(probe, zookeeper_takes_no_other_protocol_for_it)
{
    EXPECT(PROBE_ZOOKEEPER, "\x15\x03\x03\0\x02", 1, PROBE_DOWN,
           "answered with a TLS alert: it does not speak plaintext");
    EXPECT(PROBE_ZOOKEEPER_SESSION, "HTTP/1.1 400 Bad", 4, PROBE_DOWN,
           "answered in HTTP/1, not in ZooKeeper's protocol");
}

/* --- dask --- */

#define Q(n) n "\0\0\0\0\0\0\0"

Test(probe, dask_speaks_first)
{
    uint8_t out[PROBE_ASK_MAX];

    cr_assert_eq(ask(PROBE_DASK, "x", NULL, out), 0);
    EXPECT(PROBE_DASK, Q("\x1b") Q("\x02") Q("\x00") Q("\x03") "abc", 32, PROBE_UP, "");
}

Test(probe, dask_lengths_that_do_not_match_are_nonsense)
{
    EXPECT(PROBE_DASK, Q("\x1c") Q("\x02") Q("\x00") Q("\x03") "abc", 32, PROBE_DOWN,
           "answered, but not in Dask's protocol");
    EXPECT(PROBE_DASK, Q("\x1b") Q("\x02") Q("\x00") Q("\x04") "abc", 32, PROBE_DOWN,
           "answered, but not in Dask's protocol");
    EXPECT(PROBE_DASK, "HTTP/1.1 400 Bad Request\r\n", 16, PROBE_DOWN,
           "answered in HTTP/1, not in Dask's protocol");
}

Test(probe, much_that_cannot_be_judged_is_no_answer)
{
    static char zeros[PROBE_ANSWER_MAX];

    memcpy(zeros, "HTTP/1.1 100 Continue\r\n", 23);
    cr_assert_eq(judge(PROBE_HTTP, zeros, sizeof(zeros) - 1), PROBE_MORE);
    cr_assert_eq(judge(PROBE_HTTP, zeros, sizeof(zeros)), PROBE_DOWN);
    cr_assert_str_eq(why.text, "sent much, and not an HTTP answer");
}
