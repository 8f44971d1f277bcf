#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "app/endpoints.h"

static char heard[512];

static void note(void *arg, const struct upstream_news *news)
{
    size_t *calls = arg, len = strlen(heard);

    ++*calls;
    len += (size_t)snprintf(heard + len, sizeof(heard) - len, "%s/%s:", news->upstream,
                            news->server);
    for (size_t i = 0; i < news->n; i++) {
        char text[ADDR_TEXT_MAX];
        len += (size_t)snprintf(heard + len, sizeof(heard) - len, " %s%s",
                                addr_text(&news->v[i].addr, text), news->v[i].up ? "" : "!");
    }
    snprintf(heard + len, sizeof(heard) - len, ";");
}

static struct upstream_addr at(const char *text, bool up)
{
    struct upstream_addr a = { .up = up };
    struct err e = ERR_INIT;

    cr_assert_eq(addr_parse((struct span){ text, strlen(text) }, &a.addr, &e), 0);
    return a;
}

static struct pack two_servers(void)
{
    struct upstream_addr v[3] = { at("10.0.0.1:5", true), at("[2001:db8::1]:5", false),
                                  at("unix:/run/x", true) };
    struct pack k = { 0 };

    endpoints_put(&k, &(struct upstream_news){ "db", "db.example:5", 2, v });
    endpoints_put(&k, &(struct upstream_news){ "app", "unix:/run/x", 1, v + 2 });
    return k;
}

/* How many servers were told of; *whole: there was no damage. */
static size_t read_back(const uint8_t *p, size_t len, bool *whole)
{
    size_t calls = 0;
    /* At its own place, for the sanitizers to see a read behind its end. */
    uint8_t *copy = calloc(1, len > 0 ? len : 1);

    heard[0] = '\0';
    memcpy(copy, p, len);
    *whole = endpoints_each(copy, len, note, &calls);
    free(copy);
    return calls;
}

Test(endpoints, come_back_as_they_went)
{
    struct pack k = two_servers();
    bool whole;

    cr_expect_eq(read_back(k.p, k.len, &whole), 2);
    cr_expect(whole);
    cr_expect_str_eq(heard, "db/db.example:5: 10.0.0.1:5 [2001:db8::1]:5!;"
                            "app/unix:/run/x: unix:/run/x;");
    pack_free(&k);
}

Test(endpoints, of_nothing_are_nothing)
{
    bool whole;

    cr_expect_eq(read_back((const uint8_t *)"", 0, &whole), 0);
    cr_expect(whole);
}

Test(endpoints, that_are_cut_are_told_up_to_there)
{
    struct pack k = two_servers();
    bool whole;

    for (size_t n = 1; n < k.len; n++) {
        size_t told = read_back(k.p, n, &whole);
        cr_expect_lt(told, 2, "%zu of %zu bytes", n, k.len);
        cr_expect(!whole || told == 1);
    }
    pack_free(&k);
}

Test(endpoints, with_any_byte_wrong_are_read_without_harm)
{
    struct pack k = two_servers();
    bool whole;

    for (size_t i = 0; i < k.len; i++)
        for (unsigned bit = 0; bit < 8; bit++) {
            k.p[i] ^= (uint8_t)(1u << bit);
            (void)read_back(k.p, k.len, &whole);
            k.p[i] ^= (uint8_t)(1u << bit);
        }
    pack_free(&k);
}

Test(endpoints, of_more_addresses_than_there_may_be_are_refused)
{
    struct pack k = { 0 };
    bool whole;

    pack_text(&k, "u");
    pack_text(&k, "s");
    pack_u32(&k, ENDPOINTS_ADDRS_MAX + 1);
    cr_expect_eq(read_back(k.p, k.len, &whole), 0);
    cr_expect_not(whole);
    pack_free(&k);
}
