#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

static struct span span(const char *s)
{
    return (struct span){ s, strlen(s) };
}

Test(clock, durations_as_users_write_them)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } cases[] = {
        { "0", 0 },       { "0s", 0 },          { "250ms", 250 },      { "30s", 30000 },
        { "5m", 300000 }, { "1h", 3600000 },    { "2d", 172800000 },   { "90s", 90000 },
        { "007s", 7000 }, { "1000ms", 1000 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t ms = 77;
        cr_assert(duration_parse(span(cases[i].text), &ms), "\"%s\"", cases[i].text);
        cr_assert_eq(ms, cases[i].ms, "\"%s\" is %llu ms", cases[i].text, (unsigned long long)ms);
    }
}

Test(clock, what_is_no_duration)
{
    static const char *const cases[] = {
        "", "s", "30", "-1s", "+1s", "1.5s", "30 s", " 30s", "30sec", "1h30m", "30S", "1w",
        "18446744073709551615s", "18446744073709551616ms", "300000000000d",
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t ms;
        cr_assert_not(duration_parse(span(cases[i]), &ms), "\"%s\"", cases[i]);
    }
}

Test(clock, duration_text_is_read_back_as_the_same)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {
        { 0, "0" },           { 1, "1ms" },      { 250, "250ms" },         { 1000, "1s" },
        { 1500, "1500ms" },   { 90000, "90s" },  { 300000, "5m" },         { 3600000, "1h" },
        { 86400000, "1d" },   { 90000000, "25h" }, { UINT64_MAX, "18446744073709551615ms" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[DURATION_TEXT_MAX];
        uint64_t back = 77;
        duration_text(cases[i].ms, text);
        cr_assert_str_eq(text, cases[i].text);
        cr_assert(duration_parse(span(text), &back));
        cr_assert_eq(back, cases[i].ms, "%s", text);
    }
}

Test(clock, wall_time_as_text)
{
    char text[CLOCK_TEXT_MAX];

    clock_text(0, text);
    cr_assert_str_eq(text, "1970-01-01T00:00:00.000000Z");
    clock_text(1795373290123456u, text);
    cr_assert_str_eq(text, "2026-11-22T18:48:10.123456Z");
    clock_text(951782399000001u, text);
    cr_assert_str_eq(text, "2000-02-28T23:59:59.000001Z");
}

Test(clock, the_clocks_run)
{
    uint64_t mono = clock_mono_us();
    time_t before = time(NULL);
    uint64_t wall = clock_wall_us() / 1000000;

    cr_assert_geq(wall, (uint64_t)before);
    cr_assert_leq(wall, (uint64_t)before + 5);
    nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
    cr_assert_geq(clock_mono_us(), mono + 2000);
}
