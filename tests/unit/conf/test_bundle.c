/* The bundle: what goes in comes out, sealed; damage is refused. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/bundle.h"
#include "conf/settings.h"

static int sealed(const void *bytes, size_t len, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
    cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

Test(bundle, what_goes_in_comes_out)
{
    struct bundle *b = bundle_new();
    struct err e = ERR_INIT;
    size_t len;

    bundle_put(b, "zzz", 3, "trust/%s/%d", "t", 0);
    bundle_put(b, "a\0b", 3, "store/%s/%d/key", "s", 1);
    bundle_put(b, "", 0, "empty");
    cr_assert_arr_eq(bundle_get(b, &len, "store/s/1/key"), "a\0b", 3);

    int fd = bundle_seal(b, &e);
    cr_assert_geq(fd, 0, "%s", e.text);
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    bundle_free(b);

    b = bundle_map(fd, &e);
    cr_assert_not_null(b, "%s", e.text);
    close(fd);                  /* the map does not need it */
    cr_assert_arr_eq(bundle_get(b, &len, "store/s/1/key"), "a\0b", 3);
    cr_expect_eq(len, 3);
    cr_assert_arr_eq(bundle_get(b, &len, "trust/t/0"), "zzz", 3);
    cr_expect_not_null(bundle_get(b, &len, "empty"));
    cr_expect_eq(len, 0);
    cr_expect_null(bundle_get(b, &len, "store/s/1"));
    cr_expect_null(bundle_get(b, &len, "zzz"));
    bundle_free(b);
    bundle_free(NULL);
}

Test(bundle, nobody_can_change_it)
{
    struct bundle *b = bundle_new();
    struct err e = ERR_INIT;

    bundle_put(b, "x", 1, "name");
    int fd = bundle_seal(b, &e);
    cr_expect_lt(pwrite(fd, "y", 1, 0), 0);
    cr_expect_lt(ftruncate(fd, 0), 0);
    cr_expect_eq(mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    close(fd);
    bundle_free(b);
}

Test(bundle, many_entries_are_found)
{
    struct bundle *b = bundle_new();
    struct err e = ERR_INIT;
    size_t len;

    for (unsigned i = 0; i < 3000; i++) {
        unsigned n = i * 7919 % 3000;   /* not in order */
        bundle_put(b, &n, sizeof(n), "entry/%u", n);
    }
    int fd = bundle_seal(b, &e);
    bundle_free(b);
    b = bundle_map(fd, &e);
    cr_assert_not_null(b, "%s", e.text);
    for (unsigned i = 0; i < 3000; i++) {
        const uint8_t *p = bundle_get(b, &len, "entry/%u", i);
        cr_assert(p != NULL && len == sizeof(i) && memcmp(p, &i, sizeof(i)) == 0, "entry %u", i);
    }
    close(fd);
    bundle_free(b);
}

#define U32(n) (n) & 0xff, (n) >> 8 & 0xff, (n) >> 16 & 0xff, (n) >> 24 & 0xff
#define MAGIC  's', 'p', 'b', 'u', 'n', 'd', 'l', '1'

/* Numbers here are little endian; the format is this machine's own. */
static const struct {
    const char *what, *says;
    size_t len;
    uint8_t bytes[64];
} damaged[] = {
    { "nothing", "only 0 bytes", 0, { 0 } },
    { "half a head", "only 11 bytes", 11, { MAGIC, 1, 0, 0 } },
    { "another magic", "not a bundle", 12, { 's', 'p', 'b', 'u', 'n', 'd', 'l', '2', U32(0) } },
    { "fewer entries than said", "within the head of an entry", 12, { MAGIC, U32(1) } },
    { "a count that nothing can hold", "within the head", 12, { MAGIC, U32(0xffffffffu) } },
    { "half a length", "within the head of an entry", 19, { MAGIC, U32(1), U32(1), 1, 0, 0 } },
    { "a name of no bytes", "a name of 0 bytes", 20, { MAGIC, U32(1), U32(0), U32(0) } },
    { "a name behind the end", "a name of 2 bytes", 21, { MAGIC, U32(1), U32(2), U32(0), 'a' } },
    { "a huge name", "a name of", 21, { MAGIC, U32(1), U32(0xffffffffu), U32(0), 'a' } },
    { "a name with a NUL", "NUL byte", 22, { MAGIC, U32(1), U32(2), U32(0), 'a', 0 } },
    { "data behind the end", "within an entry", 21, { MAGIC, U32(1), U32(1), U32(1), 'a' } },
    { "huge data", "within an entry", 21, { MAGIC, U32(1), U32(1), U32(0xffffffffu), 'a' } },
    { "bytes at the end", "behind its last entry", 22,
      { MAGIC, U32(1), U32(1), U32(0), 'a', 'b' } },
    { "a name twice", "out of order", 30,
      { MAGIC, U32(2), U32(1), U32(0), 'a', U32(1), U32(0), 'a' } },
    { "names out of order", "out of order", 30,
      { MAGIC, U32(2), U32(1), U32(0), 'b', U32(1), U32(0), 'a' } },
};

Test(bundle, damage_is_refused)
{
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        int fd = sealed(damaged[i].bytes, damaged[i].len, ALL_SEALS);
        struct err e = ERR_INIT;
        struct bundle *b = bundle_map(fd, &e);

        cr_expect_null(b, "%s was taken", damaged[i].what);
        cr_expect(strstr(e.text, damaged[i].says) != NULL, "%s: %s", damaged[i].what, e.text);
        bundle_free(b);
        close(fd);
    }
}

Test(bundle, a_missing_seal_is_refused)
{
    const uint8_t empty[] = { MAGIC, U32(0) };
    const int partial[] = { 0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
                            F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SEAL,
                            F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_SEAL,
                            F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW };
    struct err e = ERR_INIT;

    for (size_t i = 0; i < sizeof(partial) / sizeof(partial[0]); i++) {
        int fd = sealed(empty, sizeof(empty), partial[i]);
        cr_expect_null(bundle_map(fd, &e), "seals %#x were enough", (unsigned)partial[i]);
        cr_expect_str_eq(e.text, "the bundle is not sealed");
        close(fd);
    }
    int fd = sealed(empty, sizeof(empty), ALL_SEALS);
    struct bundle *b = bundle_map(fd, &e);
    cr_expect_not_null(b, "%s", e.text);
    bundle_free(b);
    close(fd);

    int pipes[2];
    cr_assert_eq(pipe(pipes), 0);
    cr_expect_null(bundle_map(pipes[0], &e));
    cr_expect_null(bundle_map(-1, &e));
}

static struct settings some_settings(void)
{
    struct settings s = { 0 };

    settings_add(&s, "route", "r", NULL, NULL, (struct origin){ "t.conf", 3 });
    settings_add(&s, "route", "r", "listen", "127.0.0.1:1", (struct origin){ "t.conf", 4 });
    settings_add(&s, "proxy", "", "workers", "", (struct origin){ ORIGIN_COMMAND_LINE, 0 });
    settings_add(&s, "proxy", "", "user", "x", (struct origin){ NULL, 0 });
    return s;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

Test(settings, what_is_packed_comes_out)
{
    struct settings s = some_settings(), t;
    uint8_t *bytes;
    size_t len;

    settings_pack(&s, &bytes, &len);
    cr_assert_eq(settings_unpack(bytes, len, &t), 0);
    cr_assert_eq(t.n, s.n);
    for (size_t i = 0; i < s.n; i++)
        cr_expect(same(s.v[i].section, t.v[i].section) && same(s.v[i].name, t.v[i].name)
                      && same(s.v[i].key, t.v[i].key) && same(s.v[i].value, t.v[i].value)
                      && same(s.v[i].file, t.v[i].file) && s.v[i].line == t.v[i].line,
                  "setting %zu", i);
    free(bytes);
    settings_free(&s);
    settings_free(&t);
}

Test(settings, cut_or_longer_bytes_are_refused)
{
    struct settings s = some_settings(), t;
    uint8_t *bytes;
    size_t len;

    settings_pack(&s, &bytes, &len);
    for (size_t n = 0; n < len; n++) {
        uint8_t *exact = malloc(n ? n : 1);     /* so that a sanitizer sees a read behind it */
        memcpy(exact, bytes, n);
        cr_expect_lt(settings_unpack(exact, n, &t), 0, "%zu of %zu bytes were taken", n, len);
        cr_expect_eq(t.n, 0);
        free(exact);
    }
    uint8_t *longer = calloc(1, len + 1);
    memcpy(longer, bytes, len);
    cr_expect_lt(settings_unpack(longer, len + 1, &t), 0);
    free(longer);
    free(bytes);
    settings_free(&s);
}

Test(settings, damaged_bytes_do_no_harm)
{
    struct settings s = some_settings(), t;
    uint8_t *bytes;
    size_t len;

    settings_pack(&s, &bytes, &len);
    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[i] ^= (uint8_t)(1u << bit);
            if (settings_unpack(bytes, len, &t) == 0)
                settings_free(&t);
            bytes[i] ^= (uint8_t)(1u << bit);
        }
    }
    free(bytes);
    settings_free(&s);
}
