/* Which names a server is asked for and held to. */
#include <criterion/criterion.h>
#include <string.h>

#include "proxy/snap_upstream.h"

Test(snap_upstream, knows_the_host_of_a_server)
{
    char room[DIAL_NAME_MAX];

    cr_expect_str_eq(snap_upstream_host("127.0.0.1:9042", room), "127.0.0.1");
    cr_expect_str_eq(snap_upstream_host("db.example:9042", room), "db.example");
    cr_expect_str_eq(snap_upstream_host("[2001:db8::1]:9042", room), "2001:db8::1");
    cr_expect_null(snap_upstream_host("unix:/run/a:b", room));
}

Test(snap_upstream, asks_for_names_and_never_for_addresses)
{
    char name[] = "svc.example", address[] = "192.0.2.1", other[] = "sni.example";
    struct conf_upstream u = { 0 };

    cr_expect_str_eq(snap_upstream_name(&u, "db.example"), "db.example");
    cr_expect_str_eq(snap_upstream_sni(&u, "db.example"), "db.example");
    cr_expect_str_eq(snap_upstream_name(&u, "10.0.0.1"), "10.0.0.1");
    cr_expect_null(snap_upstream_sni(&u, "10.0.0.1"));
    cr_expect_null(snap_upstream_sni(&u, "2001:db8::1"));
    cr_expect_null(snap_upstream_sni(&u, NULL));
    u.tls_name = name;
    cr_expect_str_eq(snap_upstream_name(&u, "10.0.0.1"), "svc.example");
    cr_expect_str_eq(snap_upstream_sni(&u, "10.0.0.1"), "svc.example");
    u.tls_sni = other;
    cr_expect_str_eq(snap_upstream_sni(&u, "10.0.0.1"), "sni.example");
    u.tls_sni = NULL;
    u.tls_name = address;
    cr_expect_null(snap_upstream_sni(&u, "db.example"), "it is held to an address");
}
