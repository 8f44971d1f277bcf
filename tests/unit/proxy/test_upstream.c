#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/settings.h"
#include "conf/source.h"
#include "proxy/upstream.h"

#define SECOND 1000000u
#define START (1000u * (uint64_t)SECOND)

static struct upstreams *u;
static struct conf *conf;
static struct peer client;
static uint64_t now;
static enum upstream_pick why;  /* of the last pick */

/* One route to [upstream u], with these lines in it. */
static struct conf *with(const char *lines)
{
    struct settings s = { 0 };
    struct diags d = { 0 };
    char *ini = mem_printf("[store s]\ncert = c\n[route r]\nlisten = 127.0.0.1:1\nstore = s\n"
                           "upstream = u\n[upstream u]\n%s", lines);

    source_parse(ini, strlen(ini), "t.conf", &s, &d);
    struct conf *c = conf_build(&s, &d);
    cr_assert_not_null(c);
    settings_free(&s);
    diags_free(&d);
    free(ini);
    return c;
}

static void configure(const char *lines)
{
    conf_free(conf);
    conf = with(lines);
    upstreams_apply(u, conf);
}

static void begin(void)
{
    u = upstreams_new();
    cr_assert_not_null(u);
    client = (struct peer){ .family = AF_INET, .ip = { 192, 0, 2, 1 } };
    now = START;
}

static void end(void)
{
    upstreams_free(u);
    conf_free(conf);
}

TestSuite(upstream, .init = begin, .fini = end);

#define THREE "server = 127.0.0.1:1\nserver = 127.0.0.2:2\nserver = 127.0.0.3:3\n"

/* The port says which of them it is. */
static unsigned port(const struct endpoint *e)
{
    return addr_port(&e->addr);
}

static struct endpoint *pick_but(struct endpoint *const *tried, size_t n)
{
    struct upstream_ask ask = { &client, tried, n, now };
    struct endpoint *e = NULL;

    why = upstreams_pick(u, conf->upstreams[0], &ask, &e);
    return why == PICK_OK ? e : NULL;
}

static struct endpoint *pick(void)
{
    return pick_but(NULL, 0);
}

static unsigned pick_port(void)
{
    struct endpoint *e = pick();
    unsigned p = e != NULL ? port(e) : 0;

    endpoint_leave(e);
    return p;
}

static void fail(unsigned which)
{
    for (unsigned i = 0; i < 100; i++) {
        struct endpoint *e = pick();
        bool found = port(e) == which;
        if (found)
            endpoint_failed(e, now, now, "refused");
        endpoint_leave(e);
        if (found)
            return;
    }
    cr_assert_fail("%u was never picked", which);
}

Test(upstream, they_take_turns)
{
    unsigned count[4] = { 0 };

    configure(THREE);
    for (int i = 0; i < 300; i++)
        count[pick_port()]++;
    cr_expect(count[1] == 100 && count[2] == 100 && count[3] == 100);
}

Test(upstream, the_first_while_it_does_not_fail)
{
    configure(THREE "balance = first\n");
    for (int i = 0; i < 5; i++)
        cr_expect_eq(pick_port(), 1);
    fail(1);
    cr_expect_eq(pick_port(), 2);
    fail(2);
    cr_expect_eq(pick_port(), 3);
    now += 10 * SECOND;
    cr_expect_eq(pick_port(), 1);
}

Test(upstream, the_one_with_the_fewest_connections)
{
    struct endpoint *held[6];
    unsigned count[4] = { 0 };

    configure(THREE "balance = least_connections\n");
    for (int i = 0; i < 6; i++)
        count[port(held[i] = pick())]++;
    cr_expect(count[1] == 2 && count[2] == 2 && count[3] == 2);
    unsigned left = port(held[4]);
    endpoint_leave(held[4]);
    cr_expect_eq(pick_port(), left);
    for (int i = 0; i < 6; i++)
        if (i != 4)
            endpoint_leave(held[i]);
}

Test(upstream, a_client_stays_and_only_those_of_a_lost_server_move)
{
    unsigned where[256], count[4] = { 0 }, moved = 0;

    configure(THREE "balance = source_hash\n");
    for (unsigned i = 0; i < 256; i++) {
        client.ip[3] = (uint8_t)i;
        client.port = (uint16_t)(i * 7);
        count[where[i] = pick_port()]++;
        client.port++;
        cr_expect_eq(pick_port(), where[i], "whatever its port");
    }
    for (unsigned p = 1; p <= 3; p++)
        cr_expect(count[p] > 40, "%u of 256 go to %u", count[p], p);
    configure("server = 127.0.0.1:1\nserver = 127.0.0.3:3\nbalance = source_hash\n");
    for (unsigned i = 0; i < 256; i++) {
        client.ip[3] = (uint8_t)i;
        moved += pick_port() != where[i];
    }
    cr_expect_eq(moved, count[2]);
}

Test(upstream, one_that_failed_is_left_alone_and_then_tried_by_one)
{
    configure(THREE);
    fail(2);
    for (int i = 0; i < 9; i++)
        cr_expect_neq(pick_port(), 2);
    now += SECOND;              /* its pause, 100 ms and up to a quarter, is over */
    unsigned tried = 0;
    for (int i = 0; i < 9; i++)
        tried += pick_port() == 2;
    cr_expect_eq(tried, 1, "while one tries it the others wait");

    now += SECOND;
    for (int i = 0; i < 3; i++) {
        struct endpoint *e = pick();
        endpoint_reached(e, now);
        endpoint_leave(e);
    }
    tried = 0;
    for (int i = 0; i < 9; i++)
        tried += pick_port() == 2;
    cr_expect_eq(tried, 3, "it is one of them again");
}

Test(upstream, pauses_double_up_to_a_bound)
{
    cr_expect_eq(endpoint_pause_ms(1), 100);
    cr_expect_eq(endpoint_pause_ms(2), 200);
    cr_expect_eq(endpoint_pause_ms(7), 6400);
    cr_expect_eq(endpoint_pause_ms(8), 10000);
    cr_expect_eq(endpoint_pause_ms(UINT32_MAX), 10000);
}

Test(upstream, a_lone_server_is_tried_at_once)
{
    configure("server = 127.0.0.1:1\n");
    for (int i = 0; i < 20; i++)
        fail(1);
    cr_expect_eq(pick_port(), 1);
}

Test(upstream, when_all_fail_the_one_that_failed_longest_ago_comes_first)
{
    configure(THREE);
    fail(2);
    now += 40000;
    fail(1);
    now += 40000;
    fail(3);
    cr_expect_eq(pick_port(), 2);
}

Test(upstream, a_connection_tries_each_once)
{
    struct endpoint *tried[3];
    unsigned sum = 0;

    configure(THREE);
    for (size_t i = 0; i < 3; i++) {
        tried[i] = pick_but(tried, i);
        cr_assert_not_null(tried[i]);
        sum += port(tried[i]);
        endpoint_failed(tried[i], now, now, "refused");
    }
    cr_expect_eq(sum, 6);
    cr_expect_null(pick_but(tried, 3));
    for (size_t i = 0; i < 3; i++)
        endpoint_leave(tried[i]);
}

static void learn(const char *server, size_t n, const struct upstream_addr *v)
{
    upstreams_learn_begin(u);
    upstreams_learn(u, &(struct upstream_news){ "u", server, n, v });
}

static struct upstream_addr at(const char *text, bool up)
{
    struct upstream_addr a = { .up = up };
    struct err e = ERR_INIT;

    cr_assert_eq(addr_parse((struct span){ text, strlen(text) }, &a.addr, &e), 0);
    return a;
}

Test(upstream, one_that_a_check_found_to_be_down_is_the_last_resort)
{
    configure(THREE);
    learn("127.0.0.1:1", 1, (struct upstream_addr[]){ at("127.0.0.1:1", false) });
    learn("127.0.0.3:3", 1, (struct upstream_addr[]){ at("127.0.0.3:3", false) });
    for (int i = 0; i < 5; i++)
        cr_expect_eq(pick_port(), 2);
    fail(2);
    cr_expect_eq(pick_port(), 2, "it failed, the others are down");
    learn("127.0.0.2:2", 1, (struct upstream_addr[]){ at("127.0.0.2:2", false) });
    cr_expect_neq(pick_port(), 0, "all of them down: a check may be wrong");
}

Test(upstream, that_is_not_mentioned_is_up)
{
    configure(THREE);
    learn("127.0.0.1:1", 1, (struct upstream_addr[]){ at("127.0.0.1:1", false) });
    cr_expect_not(upstreams_learn_end(u));
    learn("127.0.0.2:2", 1, (struct upstream_addr[]){ at("127.0.0.2:2", true) });
    cr_expect(upstreams_learn_end(u));
    unsigned seen = 0;
    for (int i = 0; i < 3; i++)
        seen += pick_port();
    cr_expect_eq(seen, 1 + 2 + 3);
}

Test(upstream, what_is_known_outlives_a_reload)
{
    configure(THREE);
    struct endpoint *held = pick();
    unsigned which = port(held);
    fail(2);
    configure(THREE "connect_timeout = 5s\n");
    cr_expect_eq(held->in_flight, 1);
    for (int i = 0; i < 9; i++)
        cr_expect_neq(pick_port(), 2);
    configure("server = 127.0.0.9:9\n");
    cr_expect_eq(port(held), which, "who holds it keeps it");
    cr_expect_eq(pick_port(), 9);
    endpoint_leave(held);
}

Test(upstream, a_connection_of_an_older_snapshot_finds_what_it_was_promised)
{
    configure("server = 127.0.0.1:1\n");
    struct conf *older = conf;
    conf = NULL;
    struct conf *next = with("server = 127.0.0.2:2\n");
    free(next->upstreams[0]->head.name);
    next->upstreams[0]->head.name = mem_strdup("renamed");
    upstreams_apply(u, next);
    conf = older;
    cr_expect_eq(pick_port(), 1);
    conf_free(next);
}

Test(upstream, whoever_was_on_the_way_when_it_went_tells_of_one_failure)
{
    uint64_t began = now;

    configure("server = 127.0.0.1:1\n");
    struct endpoint *e = pick();
    for (int i = 0; i < 100; i++) {
        now += 100;
        endpoint_failed(e, began, now, "refused");
    }
    cr_expect_eq(e->failures, 100);
    cr_expect(endpoint_state(e, now) == ENDPOINT_PAUSED);
    cr_expect(endpoint_state(e, now + 150000) == ENDPOINT_FIT, "its pause is the first still");
    began = now;
    endpoint_failed(e, began, now, "refused");
    cr_expect(endpoint_state(e, now + 150000) == ENDPOINT_PAUSED, "this one knew");
    endpoint_leave(e);
}

Test(upstream, a_failure_that_began_before_it_was_reached_is_none)
{
    configure("server = 127.0.0.1:1\n");
    struct endpoint *e = pick();
    uint64_t began = now;

    endpoint_reached(e, now + SECOND);
    endpoint_failed(e, began, now + 3 * SECOND, "timed out");
    cr_expect_eq(e->failures, 0);
    cr_expect(endpoint_state(e, now + 3 * SECOND) == ENDPOINT_FIT);
    endpoint_leave(e);
}

Test(upstream, what_a_connection_tried_before_is_not_busy_with_it)
{
    configure("server = 127.0.0.1:1\nserver = 127.0.0.2:2\nbalance = least_connections\n");
    struct endpoint *first = pick();
    endpoint_failed(first, now, now, "refused");
    endpoint_part(first);
    struct endpoint *second = pick_but(&first, 1);
    cr_expect_neq(port(first), port(second));
    now += SECOND;
    cr_expect_eq(pick_port(), port(first), "it has none, and its pause is over");
    endpoint_leave(second);
    endpoint_unref(first);
}

Test(upstream, with_all_down_by_checks_they_still_take_turns)
{
    unsigned count[4] = { 0 };

    configure(THREE);
    for (unsigned i = 1; i <= 3; i++) {
        char text[32];
        snprintf(text, sizeof(text), "127.0.0.%u:%u", i, i);
        learn(text, 1, (struct upstream_addr[]){ at(text, false) });
    }
    for (int i = 0; i < 30; i++)
        count[pick_port()]++;
    cr_expect(count[1] == 10 && count[2] == 10 && count[3] == 10);
    fail(1);
    for (int i = 0; i < 10; i++)
        cr_expect_neq(pick_port(), 1, "but it is not tried while it fails, too");
}

#define NAMED "server = db.example:7\n"

Test(upstream, a_name_has_no_address_before_it_is_told)
{
    configure(NAMED);
    cr_expect_null(pick());
    cr_expect_eq(why, PICK_NO_ADDRESS);
    learn("db.example:7", 0, NULL);
    cr_expect_null(pick());
    learn("db.example:7", 2, (struct upstream_addr[]){ at("127.0.0.1:7", true),
                                                       at("[::1]:7", true) });
    struct endpoint *one = pick(), *other = pick();
    cr_assert(one != NULL && other != NULL && one != other);
    cr_expect_str_eq(one->server, "db.example:7");
    learn("db.example:7", 0, NULL);
    cr_expect_eq(pick_port(), 7, "the last good ones stay");
    configure(NAMED "connect_timeout = 5s\n");
    cr_expect_eq(pick_port(), 7, "over a reload, too");
    endpoint_leave(one);
    endpoint_leave(other);
}

/* Who sends the same name a hundred thousand times has the first heard, and no more work done. */
Test(upstream, is_told_of_once)
{
    configure(NAMED);
    learn("db.example:7", 1, (struct upstream_addr[]){ at("127.0.0.1:7", true) });
    struct endpoint *first = pick();
    upstreams_learn(u, &(struct upstream_news){
        "u", "db.example:7", 1, (struct upstream_addr[]){ at("127.0.0.2:7", true) } });
    struct endpoint *second = pick();
    cr_expect_eq(first, second);
    learn("db.example:7", 1, (struct upstream_addr[]){ at("127.0.0.2:7", true) });
    struct endpoint *third = pick();
    cr_expect_neq(first, third);
    endpoint_leave(first);
    endpoint_leave(second);
    endpoint_leave(third);
}

Test(upstream, keeps_its_news_when_a_reload_spells_it_otherwise)
{
    configure("server = db.example:7\n");
    learn("db.example:7", 1, (struct upstream_addr[]){ at("127.0.0.1:7", true) });
    configure("server = DB.example:7\n");
    cr_expect_eq(pick_port(), 7);
    learn("DB.example:7", 1, (struct upstream_addr[]){ at("127.0.0.2:7", true) });
    struct endpoint *e = pick();
    struct addr to = at("127.0.0.2:7", true).addr;
    cr_expect(addr_equal(&e->addr, &to));
    endpoint_leave(e);
}

Test(upstream, plaintext_goes_nowhere_that_is_not_allowed)
{
    configure(NAMED);
    learn("db.example:7", 1, (struct upstream_addr[]){ at("192.0.2.9:7", true) });
    cr_expect_null(pick());
    cr_expect_eq(why, PICK_FORBIDDEN);
    learn("db.example:7", 2, (struct upstream_addr[]){ at("192.0.2.9:7", true),
                                                       at("127.0.0.9:7", true) });
    for (int i = 0; i < 4; i++) {
        struct endpoint *e = pick();
        cr_assert_not_null(e);
        cr_expect(addr_is_local(&e->addr));
        endpoint_leave(e);
    }
    learn("db.example:7", 1, (struct upstream_addr[]){ at("192.0.2.9:7", true) });
    configure(NAMED "plaintext_to = 192.0.2.0/24\n");
    cr_expect_eq(pick_port(), 7);
    configure(NAMED);
    cr_expect_null(pick());
    cr_expect_eq(why, PICK_FORBIDDEN);
}

/* Its route speaks plaintext; by now, what it goes to is reached by TLS alone. */
Test(upstream, a_connection_of_an_older_snapshot_takes_no_plaintext_where_tls_goes_now)
{
    configure("server = 192.0.2.1:1\nplaintext_to = 192.0.2.0/24\n");
    struct conf *older = conf, *next = with("server = 127.0.0.1:1\n");
    next->upstreams[0]->tls = true;
    next->upstreams[0]->servers.v[0].addr = at("192.0.2.2:2", true).addr;
    upstreams_apply(u, next);
    cr_expect_null(pick());
    cr_expect_eq(why, PICK_FORBIDDEN);
    conf = next;
    cr_expect_eq(pick_port(), 2);
    conf_free(older);
}

/* It demands the names of its servers; by now there is one that has none, and a tls_name. */
Test(upstream, a_connection_of_an_older_snapshot_goes_to_none_whose_name_it_cannot_verify)
{
    configure("server = 127.0.0.1:1\n");
    struct conf *older = conf, *next = with("server = unix:/run/far.sock\n");
    older->upstreams[0]->tls = next->upstreams[0]->tls = true;
    next->upstreams[0]->tls_name = mem_strdup("db.example");
    upstreams_apply(u, next);
    cr_expect_null(pick());
    cr_expect_eq(why, PICK_NAMELESS);
    conf = next;
    struct endpoint *e = pick();
    cr_expect_not_null(e);
    endpoint_leave(e);
    conf_free(older);
}

Test(upstream, news_cannot_lead_elsewhere)
{
    configure("server = 127.0.0.1:1\n" NAMED);
    learn("127.0.0.1:1", 1, (struct upstream_addr[]){ at("127.0.0.2:22", true) });
    learn("db.example:7", 2, (struct upstream_addr[]){ at("127.0.0.2:22", true),
                                                       at("unix:/run/other.sock", true) });
    for (int i = 0; i < 4; i++)
        cr_expect_eq(pick_port(), 1);
}

Test(upstream, an_address_that_comes_back_is_the_one_that_connections_are_with)
{
    configure(NAMED);
    learn("db.example:7", 1, (struct upstream_addr[]){ at("127.0.0.1:7", true) });
    struct endpoint *held = pick();
    learn("db.example:7", 1, (struct upstream_addr[]){ at("127.0.0.2:7", true) });
    struct endpoint *other = pick();
    cr_expect_neq(held, other);
    learn("db.example:7", 1, (struct upstream_addr[]){ at("127.0.0.1:7", true) });
    struct endpoint *again = pick();
    cr_expect_eq(held, again);
    cr_expect_eq(held->in_flight, 2);
    endpoint_leave(held);
    endpoint_leave(other);
    endpoint_leave(again);
}

Test(upstream, a_path_has_its_case)
{
    configure("server = unix:/run/App.sock\nserver = unix:/run/app.sock\n");
    configure("server = unix:/run/app.sock\n");
    struct endpoint *e = pick();
    cr_expect_str_eq(e->addr.u.un.sun_path, "/run/app.sock");
    endpoint_leave(e);
}
