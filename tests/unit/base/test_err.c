#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"

Test(err, set_appends_the_text_of_errno)
{
    struct err e = ERR_INIT;

    errno = ENOENT;
    cr_assert_eq(err_set(&e, "open %s", "tls.crt"), -1);
    cr_assert_str_eq(e.text, "open tls.crt: No such file or directory");
}

Test(err, setx_leaves_errno_out)
{
    struct err e = ERR_INIT;

    errno = ENOENT;
    cr_assert_eq(err_setx(&e, "%d workers", 3), -1);
    cr_assert_str_eq(e.text, "3 workers");
}

Test(err, wrap_puts_what_was_done_before_it)
{
    struct err e = ERR_INIT;

    err_setx(&e, "empty");
    cr_assert_eq(err_wrap(&e, "store %s", "node"), -1);
    err_wrap(&e, "start");
    cr_assert_str_eq(e.text, "start: store node: empty");
}

Test(err, long_texts_are_cut_and_terminated)
{
    char long_text[2 * ERR_TEXT_MAX];
    struct err e = ERR_INIT;

    memset(long_text, 'x', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    err_setx(&e, "%s", long_text);
    cr_assert_eq(strlen(e.text), ERR_TEXT_MAX - 1);
    errno = ENOENT;
    err_set(&e, "%s", long_text);
    cr_assert_eq(strlen(e.text), ERR_TEXT_MAX - 1);

    /* every length of what is put before it, across the end of the room */
    for (size_t n = ERR_TEXT_MAX - 12; n < ERR_TEXT_MAX + 2; n++) {
        err_setx(&e, "inner text");
        err_wrap(&e, "%.*s", (int)n, long_text);
        cr_assert_lt(strlen(e.text), ERR_TEXT_MAX);
        cr_assert_eq(strspn(e.text, "x"), n < ERR_TEXT_MAX - 1 ? n : ERR_TEXT_MAX - 1);
    }
}
