/* Which password of a file is a keystore's. */
#include <criterion/criterion.h>

#include "tls/own_passwords.h"

static void chooses(const char *text, const char *path, const char *expected)
{
    struct passwords given = { .store = text, .key = NULL };
    struct own_passwords own;

    own_passwords(&given, path, &own);
    cr_expect_str_eq(own.pw.store, expected, "%s for %s", text, path);
    cr_expect_null(own.pw.key);
    own_passwords_free(&own);

    given = (struct passwords){ .store = NULL, .key = text };
    own_passwords(&given, path, &own);
    cr_expect_str_eq(own.pw.key, expected);
    own_passwords_free(&own);
}

Test(own_passwords, a_line_each)
{
    static const char *const lines = "a.jks:1\nnode.jks:2:2\r\ntrust:3\nb.jks:";

    chooses(lines, "/etc/a.jks", "1");
    chooses(lines, "a.jks", "1");
    chooses(lines, "/etc/node.jks", "2:2");
    chooses(lines, "/x/trust", "3");
    chooses(lines, "/x/trust.jks", "3");
    chooses(lines, "/x/b.jks", "");
    chooses("a.jks:old\na.jks:new\n", "a.jks", "new");
    chooses("a.jks:only", "a.jks", "only");
}

Test(own_passwords, everything_else_is_the_password)
{
    static const char *const lines = "a.jks:1\nb.jks:2";

    chooses(lines, "/etc/c.jks", lines);
    chooses(lines, "/a.jks/", lines);
    chooses(lines, "A.jks", lines);
    chooses("plain", "a.jks", "plain");
    chooses("with:colon", "a.jks", "with:colon");
    chooses("a.jks", "a.jks", "a.jks");
    chooses("xa.jks:1", "a.jks", "xa.jks:1");
    chooses("", "a.jks", "");
    cr_expect(password_is_list(lines));
    cr_expect_not(password_is_list("with:colon"));
    cr_expect_not(password_is_list(NULL));
}
