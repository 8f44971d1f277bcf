/* wording: hints in the words of flags and variables. */
#include <criterion/criterion.h>
#include <string.h>

#include "conf/settings.h"
#include "conf/wording.h"

static const char *const file = "/etc/x.conf", *const flags = ORIGIN_COMMAND_LINE,
                        *const variables = ORIGIN_ENVIRONMENT;

/* Of one finding: how it says the hint, or the message where there is none. */
static void says(const char *origin, bool no_file, const char *key, const char *text,
                 const char *expected)
{
    struct diags d = { 0 };
    struct diag_at at = { { origin, 0 }, NULL, key, NULL };

    diag_add(&d, DIAG_ERROR, at, text, "%s", text);
    wording_fit(&d, no_file);
    cr_expect_str_eq(d.v[0].hint, expected);
    cr_expect_str_eq(d.v[0].message, expected);
    diags_free(&d);
}

Test(wording, what_a_file_says_stays)
{
    says(file, false, "cert", "alias = A, or `ca`", "alias = A, or `ca`");
    says(NULL, false, "user", "user = NAME", "user = NAME");
}

Test(wording, of_a_flag)
{
    says(flags, false, "--cert", "say which one: alias = ALIAS", "say which one: --alias ALIAS");
    says(flags, true, "--cert", "goes into `ca`, or key = FILE.", "goes into --ca, or --key FILE.");
    says(flags, false, "--cert", "expired = serve does", "--expired serve does");
    says(flags, false, "--key", "it is in `password_file`", "it is in --password-file");
    says(flags, false, "--cert", "key_password_file = FILE", "--key-password-file FILE");
}

Test(wording, a_key_of_two_sections_is_that_of_the_finding)
{
    says(flags, false, "--cert", "password_file = FILE", "--password-file FILE");
    says(flags, false, "--ca", "password_file = FILE", "--ca-password-file FILE");
    says(flags, false, "--crl", "password_file = FILE", "--ca-password-file FILE");
}

Test(wording, of_a_variable)
{
    says(variables, false, "SALLYPORT_CA", "name it: password_file = FILE",
         "name it: SALLYPORT_CA_PASSWORD_FILE=FILE");
    says(variables, true, "SALLYPORT_CERT", "it is `alias`", "it is SALLYPORT_ALIAS");
}

Test(wording, a_key_without_a_flag_is_a_file_s)
{
    says(flags, false, "--listen", "`ciphers` is for TLS 1.2",
         "`ciphers` of a configuration file is for TLS 1.2");
    says(flags, false, "--cert", "set wait_files = 9s",
         "set `wait_files` of a configuration file: 9s");
}

Test(wording, other_text_stays)
{
    static const char *const texts[] = {
        "", "`", "``", "`ca", "ca", "the key=x", "basicConstraints = critical, CA:TRUE",
        "keyUsage = keyCertSign", "`unknown`", "unknown = x", "xalias = A", "cert", " = ",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        says(flags, false, "--cert", texts[i], texts[i]);
}

Test(wording, a_default_is_a_flag_s_where_there_is_no_file)
{
    struct diags d = { 0 };
    struct diag_at at = { { NULL, 0 }, "proxy", "user", "sallyport" };

    diag_add(&d, DIAG_ERROR, at, "name another: user = NAME", "there is no such user");
    wording_fit(&d, true);
    cr_assert_null(d.v[0].section);
    cr_assert_str_eq(d.v[0].key, "--user");
    cr_assert_str_eq(d.v[0].hint, "name another: --user NAME");
    diags_free(&d);
}

Test(wording, of_a_verb_that_takes_some)
{
    static const enum conf_key only[] = { KEY_STORE_PASSWORD_FILE };
    struct diags d = { 0 };

    diag_add(&d, DIAG_NOTE, (struct diag_at){ 0 }, NULL, "password_file = FILE, `crl`");
    wording_flags(&d, only, 1);
    cr_assert_str_eq(d.v[0].message, "--password-file FILE, `crl`");
    cr_assert_null(d.v[0].hint);
    diags_free(&d);
}
