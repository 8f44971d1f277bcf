/* The status page got into the program whole. What it does, tests/flow/test_67 shows. */
#include <criterion/criterion.h>
#include <string.h>

#include "app/status_html.h"

Test(status_html, is_whole_and_small)
{
    static const char first[] = "<!doctype html>\n", last[] = "</html>\n";

    cr_assert_eq(strlen(status_html), status_html_len);
    cr_assert_eq(strncmp(status_html, first, strlen(first)), 0);
    cr_assert_str_eq(status_html + status_html_len - strlen(last), last);
    cr_assert_lt(status_html_len, 40u * 1024);
    cr_assert_not_null(strstr(status_html, "\\u{\" + c."));      /* the backslash came through */
}
