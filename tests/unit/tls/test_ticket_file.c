#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "certs.h"
#include "tls/digest.h"
#include "tls/ticket_file.h"

#define HEX32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define BASE32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define HEX48 "303132333435363738393a3b3c3d3e3f404142434445464748494A4B4C4D4E4F" \
              "505152535455565758595a5b5c5d5e5f"
#define BASE48 "MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f"

static int read_text(const char *text, struct ticket_secrets *out, struct diags *d)
{
    struct tls_input in = input_text("ticket.keys", text);

    return ticket_file_read(&in, out, d);
}

/* Good, without a finding. */
static struct ticket_secrets secrets_of(const char *text)
{
    struct ticket_secrets s;
    struct diags d = { 0 };

    cr_assert_eq(read_text(text, &s, &d), 0);
    cr_assert_eq(d.n, 0, "%s", d.v[0].message);
    diags_free(&d);
    return s;
}

Test(ticket_file, one_key_a_line_in_either_form)
{
    struct ticket_secrets a = secrets_of(HEX32 "\n" BASE48 "\n"), b;
    static const char *const same[] = {
        BASE32 "\n" HEX48 "\n",
        "# ours\r\n\r\n  " HEX32 "  # of May\r\n\t" BASE48,
    };

    cr_assert_eq(a.n, 2);
    cr_assert_neq(memcmp(a.v, a.v + TICKET_SECRET_LEN, TICKET_SECRET_LEN), 0);
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        b = secrets_of(same[i]);
        cr_assert_eq(b.n, 2);
        cr_assert_eq(memcmp(a.v, b.v, sizeof(a.v)), 0);
    }
}

/* What a fleet shares must come out alike on every host, with every version. */
Test(ticket_file, the_secret_is_the_keys_digest)
{
    struct ticket_secrets s = secrets_of(HEX32);
    uint8_t digest[DIGEST_LEN], key[32];

    for (uint8_t i = 0; i < sizeof(key); i++)
        key[i] = i;
    digest_ders(&(struct der){ key, sizeof(key) }, 1, digest);
    cr_assert_eq(memcmp(s.v, digest, sizeof(digest)), 0);
}

Test(ticket_file, eight_keys_are_taken)
{
    char text[1024] = "";

    for (int i = 0; i < 8; i++)
        sprintf(text + strlen(text), "%064x\n", (unsigned)i);
    cr_assert_eq(secrets_of(text).n, 8);
}

struct bad {
    const char *text, *words;
};

static const struct bad bads[] = {
    { "\n", ": no key in it" },
    { "# " HEX32 "\n", ": no key in it" },
    { HEX32 "\nsecret!\n", "line 2: neither base64 nor hex" },
    { HEX32 HEX32 "0\n", "line 1: neither base64 nor hex" },
    { BASE32 BASE48 "\n", "line 1: neither base64 nor hex" },    /* padding inside */
    { "MDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTg==\n", "line 1: a key of less than 32" },
    { "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e\n",
      "line 1: a key of less than 32" },
    { "====\n", "line 1: " },
    { "====\nsecret!\n", "line 1: " },
};

Test(ticket_file, what_is_no_key_is_refused_and_not_shown)
{
    for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
        struct ticket_secrets s;
        struct diags d = { 0 };

        cr_assert_eq(read_text(bads[i].text, &s, &d), -1, "%s", bads[i].text);
        cr_assert_eq(d.n, 1);
        cr_expect(found(&d, DIAG_ERROR, bads[i].words), "%s", d.v[0].message);
        cr_expect(found(&d, DIAG_ERROR, "openssl rand"), "%s", d.v[0].hint);
        cr_expect_not(found(&d, DIAG_ERROR, "0001"));
        cr_expect_not(found(&d, DIAG_ERROR, "secret"));
        diags_free(&d);
    }
}

Test(ticket_file, a_line_without_end_is_refused)
{
    static char text[100000];
    struct ticket_secrets s;
    struct diags d = { 0 };

    memset(text, 'a', sizeof(text) - 1);
    cr_assert_eq(read_text(text, &s, &d), -1);
    cr_assert(found(&d, DIAG_ERROR, ": line 1: neither"));
    diags_free(&d);
}

Test(ticket_file, a_key_twice_and_a_file_that_lies_open_are_warned_of)
{
    struct tls_input in = input_text("ticket.keys", HEX32 "\n\n" BASE32 "\n");
    struct ticket_secrets s;
    struct diags d = { 0 };

    in.exposed = true;
    in.mode = 0644;
    cr_assert_eq(ticket_file_read(&in, &s, &d), 0);
    cr_assert_eq(s.n, 1);
    cr_assert_eq(d.n, 2);
    cr_assert(found(&d, DIAG_WARNING, "line 3: the key of line 1 again"));
    cr_assert(found(&d, DIAG_WARNING, "can read the ticket keys (mode 0644) (chmod o-rwx"));
    diags_free(&d);
}
