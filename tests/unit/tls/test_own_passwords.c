/* Which password of a file is a keystore's. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

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
}

/* The name in the line may lack the file's ending, but the whole name goes first. */
Test(own_passwords, a_name_without_its_ending)
{
    static const char *const lines = "node1:1\nnode2:2\nnode2.p12:3\nnode2:4\n";

    chooses(lines, "/etc/node1.p12", "1");
    chooses(lines, "/etc/node1.P12", "1");
    chooses(lines, "/etc/node1.pfx", "1");
    chooses(lines, "/etc/node1.keystore", "1");
    chooses(lines, "/etc/node1.jks", "1");
    chooses(lines, "/etc/node1.pem", lines);
    chooses(lines, "/etc/.p12", lines);
    chooses(lines, "/etc/node2.p12", "3");
    chooses(lines, "/etc/node2.jks", "4");
    chooses("\xef\xbb\xbfnode1:1\nnode2:2", "node1.p12", "1");
}

static void hints(const char *password, const char *keystore, const char *expected)
{
    char *hint = password_hint(password, keystore);

    if (expected == NULL)
        cr_expect_null(hint, "%s: %s", password, hint);
    else
        cr_expect(hint != NULL && strstr(hint, expected) != NULL, "%s: %s", password, hint);
    free(hint);
}

Test(own_passwords, why_one_may_be_wrong)
{
    hints(NULL, "/k/a.p12", NULL);
    hints("secret", "/k/a.p12", NULL);
    hints("se cret", "/k/a.p12", NULL);
    hints("", "/k/a.p12", "empty");
    hints("a.jks:1\nb.jks:2", "/k/a.p12", "several lines, and none that begins with a.p12:");
    hints("a.jks:1\nb.jks:2", NULL, "several lines");
    hints("\xef\xbb\xbfsecret", "/k/a.p12", "byte order mark");
    hints("secret\n", "/k/a.p12", "ends with a newline");
    hints("secret\r\n", "/k/a.p12", "ends with a newline");
    hints("secret\r", "/k/a.p12", "carriage return");
    hints("secret ", "/k/a.p12", "ends with a blank");
    hints("secret\t", NULL, "ends with a blank");
    hints(" secret", "/k/a.p12", "begins with a blank");
    hints("b.jks:1", "/k/a.p12", "the name must be a.p12");
    hints("b.jks:1", NULL, NULL);
    hints("what?:1", "/k/a.p12", NULL);
}
