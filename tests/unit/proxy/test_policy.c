#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "conf/source.h"
#include "proxy/policy.h"

#define LEAD "[store s]\ncert = c.pem\n[trust t]\nca = ca.pem\n" \
             "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = 127.0.0.1:2\ntrust = t\n"

static struct conf *conf_of(const char *rules)
{
    struct settings s = { 0 };
    struct diags d = { 0 };
    char text[2048];
    int len = snprintf(text, sizeof(text), "%s%s", LEAD, rules);

    source_parse(text, (size_t)len, "t.conf", &s, &d);
    struct conf *c = conf_build(&s, &d);
    cr_assert_not_null(c, "%s: %s", rules, d.n > 0 ? d.v[0].message : "?");
    settings_free(&s);
    diags_free(&d);
    return c;
}

/* One name, and what every certificate has. */
static struct verdict judge(const char *rules, enum identity_kind kind, const char *name,
                            size_t len)
{
    struct identity_name n = { kind, { name, len } };
    char serial[] = "0abc";
    struct identity id = { .names = &n, .nnames = 1, .best = &n, .serial = serial };
    struct conf *c = conf_of(rules);

    memset(id.pin, 'a', 64);
    struct verdict v = policy_judge(c->routes[0], &id);
    v.rule = NULL;              /* its conf goes */
    conf_free(c);
    return v;
}

#define PIN_START "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *rule;
    enum identity_kind kind;
    const char *name;
    size_t len;                 /* 0: strlen() */
    bool matches;
} table[] = {
    { "cn:alice", ID_CN, "alice", 0, true },
    { "cn:alice", ID_CN, "Alice", 0, false },
    { "cn:alice", ID_OU, "alice", 0, false },
    { "cn:alice", ID_DNS, "alice", 0, false },
    { "CN:alice", ID_CN, "alice", 0, true },
    { "cn:alice", ID_CN, "alice\0evil", 10, false },
    { "cn:*", ID_CN, "alice\0evil", 10, false },
    { "cn:*", ID_CN, "a\nb", 0, false },
    { "cn:*", ID_CN, "", 0, false },
    { "cn:*", ID_CN, "anybody at all", 0, true },
    { "cn: alice", ID_CN, "alice", 0, true },
    { "cn:al?ce", ID_CN, "alice", 0, false },
    { "cn:[a]lice", ID_CN, "alice", 0, false },
    { "cn:alice*", ID_CN, "alice", 0, true },
    { "cn:*, Inc.", ID_CN, "Example, Inc.", 0, true },
    { "cn:J\xc3\xb6rg", ID_CN, "J\xc3\xb6rg", 0, true },
    { "cn:*", ID_CN, "a\x7f", 0, false },
    { "cn:ret*-*", ID_CN, "retired-7", 0, true },
    { "ou:ops", ID_OU, "ops", 0, true },
    { "o:Example *", ID_O, "Example Inc.", 0, true },
    { "dns:a.example.com", ID_DNS, "A.example.COM", 0, true },
    { "dns:*.example.com", ID_DNS, "a.example.com", 0, true },
    { "dns:*.example.com", ID_DNS, "a.b.example.com", 0, false },
    { "dns:*.*.example.com", ID_DNS, "a.b.example.com", 0, true },
    { "dns:*.example.com", ID_DNS, "*.example.com", 0, false },
    { "dns:*.example.com", ID_DNS, ".example.com", 0, false },
    { "dns:*", ID_DNS, "localhost", 0, true },
    { "dns:*", ID_DNS, "a.example", 0, false },
    { "dns:*.example.com", ID_DNS, "a..example.com", 0, false },
    { "dns:a.example.com", ID_DNS, "a.example.com.", 0, false },
    { "dns:a.example.com.", ID_DNS, "a.example.com", 0, true },
    { "dns:*.example.com", ID_DNS, "a b.example.com", 0, false },
    { "dns:*.example.com", ID_DNS, "w*.example.com", 0, false },
    { "dns:_a-b.example.com", ID_DNS, "_a-b.example.com", 0, true },
    { "dns:a.example.com", ID_CN, "a.example.com", 0, false },
    { "dns:a.example.com", ID_URI, "a.example.com", 0, false },
    { "dns:a.example.com", ID_DNS, "a.example.com\0.evil.org", 23, false },
    { "dns:a.example.com", ID_DNS, "\0a.example.com", 14, false },
    { "dns:web-*.example.com", ID_DNS, "web-7.example.com", 0, true },
    { "dns:web-*.example.com", ID_DNS, "web-7.a.example.com", 0, false },
    { "uri:spiffe://prod/ns/*/sa/reader", ID_URI, "spiffe://prod/ns/a/sa/reader", 0, true },
    { "uri:spiffe://prod/ns/*/sa/reader", ID_URI, "spiffe://prod/ns/a/b/sa/reader", 0, false },
    { "uri:spiffe://prod/ns/**", ID_URI, "spiffe://prod/ns/a/b/sa/reader", 0, true },
    { "uri:spiffe://prod/*", ID_URI, "spiffe://prod/a", 0, true },
    { "uri:spiffe://prod/*", ID_URI, "spiffe://prod.evil/a", 0, false },
    { "uri:spiffe://prod/a", ID_URI, "SPIFFE://Prod/a", 0, true },
    { "uri:spiffe://PROD/a", ID_URI, "spiffe://prod/a", 0, true },
    { "uri:spiffe://prod/a", ID_URI, "spiffe://prod/A", 0, false },
    { "uri:spiffe://prod/*", ID_URI, "spiffe://prod/a?b", 0, false },
    { "uri:spiffe://prod/*", ID_URI, "spiffe://prod/a#b", 0, false },
    { "uri:https://*.example.com/x", ID_URI, "https://evil.org?.example.com/x", 0, false },
    { "uri:https://*.example.com/x", ID_URI, "https://evil.org/.example.com/x", 0, false },
    { "uri:https://*.example.com/x", ID_URI, "https://A.Example.COM/x", 0, true },
    { "uri:https://example.com?Q", ID_URI, "https://EXAMPLE.com?Q", 0, true },
    { "uri:https://example.com?Q", ID_URI, "https://example.com?q", 0, false },
    { "uri:spiffe://**", ID_URI, "spiffe://Prod/A/b", 0, true },
    { "uri:spiffe:**", ID_URI, "spiffe://Prod/A/b", 0, true },
    { "uri:spiffe://prod/**/sa/*", ID_URI, "spiffe://prod/ns/a/b/sa/x", 0, true },
    { "uri:spiffe://prod/**/sa/*", ID_URI, "spiffe://prod/ns/a/b/sa/x/y", 0, false },
    { "uri:spiffe://prod/a", ID_URI, "spiffe://prod/a\0b", 17, false },
    { "uri:spiffe://prod/a", ID_URI, "spiffe://prod/%61", 0, false },
    { "uri:urn:X:1", ID_URI, "urn:x:1", 0, false },
    { "uri:urn:x:y**", ID_URI, "urn:X:Y://z", 0, false },
    { "uri:urn:x:y/**", ID_URI, "urn:x:Y/a://B/c", 0, false },
    { "uri:urn:X://Y/a", ID_URI, "urn:X://Y/a", 0, true },
    { "uri:urn:X://Y/a", ID_URI, "urn:x://y/a", 0, false },
    { "uri:spiffe://*/a", ID_URI, "spiffe://x/a", 0, true },
    { "uri:urn:x:*", ID_URI, "URN:x:1", 0, true },
    { "email:*@example.com", ID_EMAIL, "bob@Example.com", 0, true },
    { "email:bob@example.com", ID_EMAIL, "Bob@example.com", 0, false },
    { "email:*@example.com", ID_EMAIL, "bob@evil@example.com", 0, false },
    { "email:\"a@b\"@example.com", ID_EMAIL, "\"a@b\"@Example.com", 0, true },
    { "email:\"a@b\"@example.com", ID_EMAIL, "\"a@B\"@example.com", 0, false },
    { "email:*@*.example.com", ID_EMAIL, "bob@a.b.example.com", 0, true },
    { "email:bob@*", ID_EMAIL, "bob@a.example@b.example", 0, false },
    { "ip:10.0.0.0/8", ID_DNS, "10.1.2.3", 0, false },
    { "ip:0.0.0.0/0", ID_IP, "::1", 0, false },
    { "ip:10.0.0.0/8", ID_IP, "10.1.2.3", 0, true },
    { "ip:10.0.0.0/8", ID_IP, "11.1.2.3", 0, false },
    { "ip:2001:db8::/32", ID_IP, "2001:db8::1", 0, true },
    { "ip:10.1.2.3", ID_IP, "10.1.2.3", 0, true },
    { "ip:10.0.0.0/8", ID_IP, "::ffff:10.1.2.3", 0, true },
    { "ip:::ffff:10.0.0.0/104", ID_IP, "10.1.2.3", 0, true },
    { "serial:0ABC", ID_CN, "x", 0, true },
    { "serial:0x00000abc", ID_CN, "x", 0, true },
    { "serial:0a:bc", ID_CN, "x", 0, true },
    { "serial:ABC", ID_CN, "x", 0, true },
    { "serial:bc", ID_CN, "x", 0, false },
    { "serial:0", ID_CN, "x", 0, false },
    { "serial:abc0", ID_CN, "x", 0, false },
    { "sha256:" PIN_START "aaaaaaaa", ID_CN, "x", 0, true },
    { "sha256:" PIN_START "AA:aaaaaa", ID_CN, "x", 0, true },
    { "sha256://qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=", ID_CN, "x", 0, true },
    { "sha256:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=", ID_CN, "x", 0, true },
    { "sha256:sha256//qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=", ID_CN, "x", 0, true },
    { "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", ID_CN, "x", 0, false },
};

Test(policy, what_a_rule_matches)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char rules[256];
        size_t len = table[i].len > 0 ? table[i].len : strlen(table[i].name);
        snprintf(rules, sizeof(rules), "allow = %s\n", table[i].rule);
        struct verdict v = judge(rules, table[i].kind, table[i].name, len);
        cr_expect_eq(v.why, table[i].matches ? VERDICT_ALLOWED : VERDICT_NOT_ALLOWED,
                     "%s of %s", table[i].rule, table[i].name);
        snprintf(rules, sizeof(rules), "deny = %s\n", table[i].rule);
        v = judge(rules, table[i].kind, table[i].name, len);
        cr_expect_eq(v.why == VERDICT_DENIED, table[i].matches, "%s of %s", table[i].rule,
                     table[i].name);
    }
}

/* Else it would be enough to have a NUL behind a name to get past a deny. */
Test(policy, a_name_with_a_control_character_is_refused_where_a_deny_looks)
{
    const struct { const char *rules; enum verdict_why why; } expected[] = {
        { "deny = cn:retired-*\n", VERDICT_NAMES_UNKNOWN },
        { "deny = cn:other\n", VERDICT_NAMES_UNKNOWN },
        { "allow = cn:*\ndeny = dns:b\ndeny = cn:other\n", VERDICT_NAMES_UNKNOWN },
        { "deny = dns:b\n", VERDICT_NO_RULES },
        { "deny = serial:abc\n", VERDICT_DENIED },
        { "deny = serial:1\n", VERDICT_NO_RULES },
        { "allow = serial:abc\n", VERDICT_ALLOWED },
        { "allow = cn:*\n", VERDICT_NOT_ALLOWED },
    };
    const struct { const char *text; size_t len; } names[] = {
        { "retired-bob\0", 12 }, { "\0retired-bob", 12 }, { "retired-bob\n", 12 },
        { "retired-\x7f", 9 }, { "\0", 1 },
    };

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
            cr_expect_eq(judge(expected[i].rules, ID_CN, names[n].text, names[n].len).why,
                         expected[i].why, "%s of %zu", expected[i].rules, n);
    cr_expect_eq(judge("deny = cn:x\n", ID_CN, "", 0).why, VERDICT_NO_RULES);
}

Test(policy, deny_wins_and_any_allow_will_do)
{
    const char *rules = "allow = cn:a*\nallow = cn:b\ndeny = cn:ab\n";

    cr_assert_eq(judge(rules, ID_CN, "a", 1).why, VERDICT_ALLOWED);
    cr_assert_eq(judge(rules, ID_CN, "b", 1).why, VERDICT_ALLOWED);
    cr_assert_eq(judge(rules, ID_CN, "ab", 2).why, VERDICT_DENIED);
    cr_assert_eq(judge(rules, ID_CN, "c", 1).why, VERDICT_NOT_ALLOWED);
    cr_assert_eq(judge("", ID_CN, "c", 1).why, VERDICT_NO_RULES);
}

Test(policy, a_verdict_says_which_rule_and_where_it_stands)
{
    struct conf *c = conf_of("allow = cn:a\nallow = cn:b\ndeny = cn:c\n");
    const struct conf_route *r = c->routes[0];
    char text[VERDICT_TEXT_MAX];
    const struct { const char *cn, *text; } expected[] = {
        { "b", "admitted by allow = cn:b (t.conf:11)" },
        { "c", "refused by deny = cn:c (t.conf:12)" },
        { "d", "refused: none of 2 allow rules matches" },
    };

    for (size_t i = 0; i < 3; i++) {
        struct identity_name n = { ID_CN, { expected[i].cn, 1 } };
        struct identity id = { .names = &n, .nnames = 1, .serial = (char *)(uintptr_t)"1" };
        struct verdict v = policy_judge(r, &id);
        cr_expect_str_eq(verdict_text(&v, r, text), expected[i].text);
        cr_expect_eq(verdict_admits(&v), i == 0);
    }
    struct verdict v = policy_judge(r, NULL);
    cr_expect_not(verdict_admits(&v));
    cr_expect_str_eq(verdict_text(&v, r, text),
                     "refused: no certificate, which an allow rule could match");
    conf_free(c);

    c = conf_of("client_auth = request\ndeny = cn:c\n");
    v = policy_judge(c->routes[0], NULL);
    cr_expect(verdict_admits(&v));
    cr_expect_str_eq(verdict_text(&v, c->routes[0], text), "admitted without a certificate");
    conf_free(c);
}

/* The rule that a reload may change is found among all names, and so is the name. */
Test(policy, any_name_of_the_certificate_will_do)
{
    struct identity_name names[] = { { ID_CN, { "alice", 5 } },
                                     { ID_DNS, { "*.example.com", 13 } },
                                     { ID_DNS, { "b.example.com", 13 } },
                                     { ID_URI, { "spiffe://prod/a", 15 } } };
    char serial[] = "1";
    struct identity id = { .names = names, .nnames = 4, .best = &names[3], .serial = serial };
    struct conf *c = conf_of("allow = dns:*.example.com\ndeny = cn:mallory\n");
    struct verdict v = policy_judge(c->routes[0], &id);

    cr_expect_eq(v.why, VERDICT_ALLOWED);
    cr_expect_eq(v.rule, &c->routes[0]->allow.v[0]);
    cr_expect_eq(v.name, &names[2]);
    conf_free(c);
    c = conf_of("allow = dns:*.example.com\nallow = serial:1\ndeny = cn:ali*\n");
    v = policy_judge(c->routes[0], &id);
    cr_expect_eq(v.why, VERDICT_DENIED);
    cr_expect_eq(v.name, &names[0]);
    names[0].text.p = "bobby";
    names[2].kind = ID_EMAIL;
    v = policy_judge(c->routes[0], &id);
    cr_expect_eq(v.why, VERDICT_ALLOWED);
    cr_expect_eq(v.rule, &c->routes[0]->allow.v[1]);
    cr_expect_null(v.name);
    conf_free(c);
}

/* What is not known of it might be what a deny looks for. */
Test(policy, a_certificate_with_unknown_names_is_refused_by_rules_on_names)
{
    const struct { const char *rules; enum verdict_why why; } expected[] = {
        { "", VERDICT_NO_RULES },
        { "allow = serial:1\n", VERDICT_ALLOWED },
        { "allow = serial:2\n", VERDICT_NOT_ALLOWED },
        { "deny = serial:2\n", VERDICT_NO_RULES },
        { "deny = serial:1\n", VERDICT_DENIED },
        { "allow = cn:a\n", VERDICT_NAMES_UNKNOWN },
        { "allow = cn:b\n", VERDICT_NAMES_UNKNOWN },
        { "allow = serial:1\ndeny = dns:b\n", VERDICT_NAMES_UNKNOWN },
        { "deny = cn:a\n", VERDICT_DENIED },
    };
    struct identity_name n = { ID_CN, { "a", 1 } };
    char serial[] = "1", text[VERDICT_TEXT_MAX];
    struct identity id = { .names = &n, .nnames = 1, .incomplete = true, .serial = serial };

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct conf *c = conf_of(expected[i].rules);
        struct verdict v = policy_judge(c->routes[0], &id);
        cr_expect_eq(v.why, expected[i].why, "%s", expected[i].rules);
        cr_expect_eq(verdict_admits(&v), v.why == VERDICT_NO_RULES || v.why == VERDICT_ALLOWED);
        if (v.why == VERDICT_NAMES_UNKNOWN)
            cr_expect(strstr(verdict_text(&v, c->routes[0], text), "too many names") != NULL);
        conf_free(c);
    }
}
