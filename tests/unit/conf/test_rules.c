/*
 * Every rule of the configuration, broken once: the text, and the one finding that
 * must come of it, with its line, key, message and hint, and nothing beside it.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "support.h"

#define STORE    "[store s]\ncert = c.pem\n"            /* lines 1-2 */
#define ROUTE    "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = 127.0.0.1:2\n" /* 3-6 */
#define GOOD     STORE ROUTE                            /* whatever follows is line 7 */
#define TRUST    "[trust t]\nca = ca.pem\n"

static const struct {
    const char *ini;
    struct expected x;
    bool others;                /* findings that follow from it are allowed */
} cases[] = {
    /* names of sections and keys */
    { GOOD "[prxy]\nworkers = 1\n", { DIAG_ERROR, 7, "", "unknown section", "\"proxy\"" }, 0 },
    { GOOD "[completely]\n", { DIAG_ERROR, 7, "", "unknown section", "" }, 0 },
    { GOOD "[proxy]\nwrkers = 1\n", { DIAG_ERROR, 8, "wrkers", "unknown key", "\"workers\"" }, 0 },
    { GOOD "[proxy]\nWorkers = 1\n",
      { DIAG_ERROR, 8, "Workers", "unknown key", "\"workers\"" }, 0 },
    { GOOD "[proxy]\nlog-level = info\n",
      { DIAG_ERROR, 8, "log-level", "unknown key", "\"log_level\"" }, 0 },
    { GOOD "[proxy]\nupstream = 1\n",
      { DIAG_ERROR, 8, "upstream", "unknown key", "a key of [route …]" }, 0 },
    { GOOD "[proxy]\ncolour = unix:/x\n", { DIAG_ERROR, 8, "colour", "unknown key", "" }, 0 },
    { GOOD "[proxy]\nadmin = 127.0.0.1:1\n",
      { DIAG_ERROR, 8, "admin", "[route r] listens there", "an address of their own" }, 0 },
    { GOOD "[proxy]\nadmin = 9000\n",
      { DIAG_ERROR, 8, "admin", "the port is missing", "\"127.0.0.1:9000\"" }, 0 },
    { GOOD "[proxy]\npassphrase = x\n",
      { DIAG_ERROR, 8, "passphrase", "unknown key", "password_file of [store" }, 0 },
    { GOOD "[store t]\npassword = x\n",
      { DIAG_ERROR, 8, "password", "unknown key", "password_file" }, 1 },
    { GOOD "path = /api\n", { DIAG_ERROR, 7, "path", "unknown key", NULL }, 0 },
    { GOOD "transparent = on\n",
      { DIAG_ERROR, 7, "transparent", "can be redirected", "mode = originate" }, 0 },
    { GOOD "[proxy x]\n", { DIAG_ERROR, 7, "", "takes no name", "[proxy]" }, 0 },
    { GOOD "[store]\n", { DIAG_ERROR, 7, "", "needs a name", "[store NAME]" }, 0 },
    { GOOD "[listener]\n", { DIAG_ERROR, 7, "", "needs an address", "[listener ADDRESS]" }, 0 },
    { GOOD "[trust a/b]\nca = x\n", { DIAG_ERROR, 7, "", "a name has letters", "" }, 1 },
    { GOOD "[trust -a]\nca = x\n", { DIAG_ERROR, 7, "", "a name has letters", "" }, 1 },
    { GOOD "[trust a b]\nca = x\n", { DIAG_ERROR, 7, "", "a name has letters", "" }, 1 },
    { GOOD "[trust aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\nca = x\n",
      { DIAG_ERROR, 7, "", "at most 40 characters", "" }, 1 },
    { GOOD "[store s]\ncert = d.pem\n", { DIAG_ERROR, 7, "", "stands on line 1 already", "" }, 0 },
    { GOOD "[proxy]\n[proxy]\n", { DIAG_ERROR, 8, "", "stands on line 7 already", "" }, 0 },
    { GOOD "[proxy]\nworkers = 1\nworkers = 2\n",
      { DIAG_ERROR, 9, "workers", "set on line 8 already", "" }, 0 },
    { GOOD "[proxy]\nworkers = x\nworkers = 2\n",
      { DIAG_ERROR, 9, "workers", "set on line 8 already", "" }, 1 },
    { GOOD "[proxy]\nuser =\n", { DIAG_ERROR, 8, "user", "the value is missing", "" }, 0 },

    /* what a shell would have understood */
    { "[store s]\ncert = \"c.pem\"\n" ROUTE,
      { DIAG_ERROR, 2, "cert", "stands in quotes", "without them" }, 0 },
    { GOOD "[proxy]\nworkers = '2'\n",
      { DIAG_ERROR, 8, "workers", "stands in quotes", "without them" }, 0 },
    { "[store s]\ncert = ~/c.pem\n" ROUTE,
      { DIAG_ERROR, 2, "cert", "~ does not stand for a home", "./~" }, 0 },
    { "[store s]\ncert = c\nkey = \"pkcs11:token=a?pin-value=1234\"\n" ROUTE,
      { DIAG_ERROR, 3, "key", "stands in quotes", "without them" }, 0 },

    /* [store]: keys in tokens */
    { "[store s]\ncert = c.pem\nkey = pkcs11:token=a?pin-value=1234\n" ROUTE,
      { DIAG_ERROR, 3, "key", "a PIN in the URI", "password_file = FILE" }, 0 },
    { "[store s]\ncert = c.pem\nkey = pkcs11:token=a;pin-value=1234\n" ROUTE,
      { DIAG_ERROR, 3, "key", "a PIN in the URI", "password_file = FILE" }, 0 },
    { "[store s]\ncert = c.pem\nkey = file://other/k.pem\n" ROUTE,
      { DIAG_ERROR, 3, "key", "a file of this machine", "" }, 0 },
    { "[store s]\ncert = c.pem\nkey = pkcs11:id=%01?module-path=/a.so\n"
      "key = pkcs11:id=%02?module-path=/b.so\n" ROUTE,
      { DIAG_ERROR, 3, "key", "another PKCS#11 module than before (/a.so)", "p11-kit" }, 0 },

    /* [proxy] */
    { GOOD "[proxy]\nworkers = 1025\n",
      { DIAG_ERROR, 8, "workers", "not auto or a whole number from 0 to 1024", "" }, 0 },
    { GOOD "[proxy]\nworkers = -1\n", { DIAG_ERROR, 8, "workers", "not auto or", "" }, 0 },
    { GOOD "[proxy]\nworkers = 2x\n", { DIAG_ERROR, 8, "workers", "not auto or", "" }, 0 },
    { GOOD "[proxy]\nuser = a b\n", { DIAG_ERROR, 8, "user", "not the name or number", "" }, 0 },
    { GOOD "[proxy]\nlog = stdot\n", { DIAG_ERROR, 8, "log", "nor a path", "\"stdout\"" }, 0 },
    { GOOD "[proxy]\nlog = access.log\n",
      { DIAG_ERROR, 8, "log", "nor a path", "./access.log" }, 0 },
    { GOOD "[proxy]\nlog_format = jsn\n",
      { DIAG_ERROR, 8, "log_format", "not one of text, json", "\"json\"" }, 0 },
    { GOOD "[proxy]\nlog_level = warning\n",
      { DIAG_ERROR, 8, "log_level", "not one of error, warn, info, debug", "\"warn\"" }, 0 },
    { GOOD "[proxy]\naccess_log = yes\n",
      { DIAG_ERROR, 8, "access_log", "not one of off, on", "\"on\"" }, 0 },
    { GOOD "[proxy]\naccess_log = 0\n",
      { DIAG_ERROR, 8, "access_log", "not one of off, on", "\"off\"" }, 0 },
    { GOOD "[proxy]\ndrain_timeout = 30\n",
      { DIAG_ERROR, 8, "drain_timeout", "the unit is missing", "\"30s\"" }, 0 },
    { GOOD "[proxy]\ndrain_timeout = soon\n",
      { DIAG_ERROR, 8, "drain_timeout", "not a duration", "such as 250ms or 30s" }, 0 },
    { GOOD "[proxy]\ndrain_timeout = 2d\n",
      { DIAG_ERROR, 8, "drain_timeout", "out of range, which is 0 to 1d", "" }, 0 },

    /* [store] and [trust] */
    { "[store s]\n" ROUTE, { DIAG_ERROR, 1, "cert", "required, and not set", "chain" }, 0 },
    { "[store s]\ncert =\n" ROUTE, { DIAG_ERROR, 2, "cert", "the value is missing", "" }, 0 },
    { GOOD "[proxy]\nreload = poll\n",
      { DIAG_ERROR, 8, "reload", "not one of watch, signal", "" }, 0 },
    { STORE "wait_files = 2h\n" ROUTE,
      { DIAG_ERROR, 3, "wait_files", "out of range, which is 0 to 1h", "" }, 0 },
    { STORE "warn_before = 21\n" ROUTE,
      { DIAG_ERROR, 3, "warn_before", "the unit is missing", "\"21s\"" }, 0 },
    { STORE "expired = ignore\n" ROUTE,
      { DIAG_ERROR, 3, "expired", "not one of refuse, serve", "" }, 0 },
    { STORE "password_file = fd:x\n" ROUTE,
      { DIAG_ERROR, 3, "password_file", "number of an inherited descriptor", "" }, 0 },
    { STORE "password_file = env:A-B\n" ROUTE,
      { DIAG_ERROR, 3, "password_file", "name of a variable", "" }, 0 },
    { STORE "key_password_file = env:\n" ROUTE,
      { DIAG_ERROR, 3, "key_password_file", "name of a variable", "" }, 0 },
    { GOOD "trust = t\n[trust t]\n",
      { DIAG_ERROR, 8, "ca", "required, and not set", "issuers" }, 0 },
    { GOOD "trust = t\n" TRUST "depth = 101\n",
      { DIAG_ERROR, 10, "depth", "not a whole number from 0 to 100", "" }, 0 },

    /* [listener] */
    { GOOD "[listener 127.0.0.1]\n", { DIAG_ERROR, 7, "", "the port is missing", "" }, 0 },
    { GOOD "[listener 127.0.0.1:3]\n",
      { DIAG_ERROR, 7, "", "no route listens on this address", "\"127.0.0.1:1\"" }, 0 },
    { GOOD "[listener 127.0.0.1:1]\n[listener localhost:1]\n",
      { DIAG_ERROR, 8, "", "has a section already, on line 7", "" }, 0 },
    { GOOD "[listener 127.0.0.1:1]\nhandshake_timeout = 99ms\n",
      { DIAG_ERROR, 8, "handshake_timeout", "out of range, which is 100ms to 10m", "" }, 0 },

    /* [route]: required keys */
    { STORE "[route r]\nstore = s\nupstream = 127.0.0.1:2\n",
      { DIAG_ERROR, 3, "listen", "required, and not set", "accepted" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nupstream = 127.0.0.1:2\n",
      { DIAG_ERROR, 3, "store", "required, and not set", "[store]" }, 1 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\n",
      { DIAG_ERROR, 3, "upstream", "required, and not set", "[upstream]" }, 0 },
    { STORE "", { DIAG_ERROR, 0, "", "there is no route", "[route NAME]" }, 1 },

    /* [route]: values */
    { GOOD "mode = orignate\n",
      { DIAG_ERROR, 7, "mode", "not one of terminate, originate, bridge", "\"originate\"" }, 0 },
    { STORE "[route r]\nlisten = 443\nstore = s\nupstream = 127.0.0.1:2\n",
      { DIAG_ERROR, 4, "listen", "the port is missing", "\"0.0.0.0:443\"" }, 0 },
    { STORE "[route r]\nlisten = *:443\nstore = s\nupstream = 127.0.0.1:2\n",
      { DIAG_ERROR, 4, "listen", "not a numeric", "\"0.0.0.0:443\"" }, 0 },
    { STORE "[route r]\nlisten = ::1:443\nstore = s\nupstream = 127.0.0.1:2\n",
      { DIAG_ERROR, 4, "listen", "in brackets", "" }, 0 },
    { STORE "[route r]\nlisten = example.com:443\nstore = s\nupstream = 127.0.0.1:2\n",
      { DIAG_ERROR, 4, "listen", "only numeric addresses and localhost", "not looked up" }, 0 },
    { GOOD "listen = 127.0.0.1:99999\n", { DIAG_ERROR, 7, "listen", "0 to 65535", "" }, 0 },
    { GOOD "listen = localhost:1\n", { DIAG_ERROR, 7, "listen", "listed twice", "" }, 0 },
    { GOOD "listen = unix:run/x\n", { DIAG_ERROR, 7, "listen", "absolute path", "" }, 0 },
    { GOOD "alpn = h2,,http/1.1\n", { DIAG_ERROR, 7, "alpn", "an empty item", "" }, 0 },
    { GOOD "alpn = h2, h2\n", { DIAG_ERROR, 7, "alpn", "listed twice", "" }, 0 },
    { GOOD "protocols = TLSv1.4\n",
      { DIAG_ERROR, 7, "protocols", "not one of TLSv1,", "TLSv1" }, 0 },
    { GOOD "protocols = SSLv3\n",
      { DIAG_ERROR, 7, "protocols", "not one of TLSv1,", "\"TLSv1.2\"" }, 0 },
    { GOOD "listen = https://127.0.0.1:443\n",
      { DIAG_ERROR, 7, "listen", "no scheme and no path", "0.0.0.0:443" }, 0 },
    { GOOD "listen = 70000\n", { DIAG_ERROR, 7, "listen", "from 0 to 65535", "" }, 0 },
    { GOOD "listen = *:70000\n", { DIAG_ERROR, 7, "listen", "from 0 to 65535", "" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = http://127.0.0.1:80/\n",
      { DIAG_ERROR, 6, "upstream", "no scheme and no path", "127.0.0.1:9042" }, 0 },
    { GOOD "protocols = TLSv1.0\n",
      { DIAG_ERROR, 7, "protocols", "not one of TLSv1,", "\"TLSv1\"" }, 0 },
    { GOOD "protocols = TLSv1.2\nprotocols = TLSv1.2\n",
      { DIAG_ERROR, 8, "protocols", "listed twice", "" }, 0 },
    { GOOD "protocols = TLSv1.1, TLSv1.3\n",
      { DIAG_ERROR, 7, "protocols", "cannot skip a version", "list the versions between" }, 0 },
    { GOOD "protocols = TLSv1, TLSv1.2, TLSv1.3\n",
      { DIAG_ERROR, 7, "protocols", "cannot skip a version", NULL }, 0 },
    { GOOD "ciphers = A B\n", { DIAG_ERROR, 7, "ciphers", "a blank", "separated by colons" }, 0 },
    { GOOD "groups = ::\n", { DIAG_ERROR, 7, "groups", "an empty list", "" }, 0 },
    { "[proxy]\nresolver = unix:/run/x\n" GOOD,
      { DIAG_ERROR, 2, "resolver", "no name server is at a Unix socket", NULL }, 0 },
    { "[proxy]\nresolver = 10.0.0.2:0\n" GOOD,
      { DIAG_ERROR, 2, "resolver", "port 0", "port 53" }, 0 },
    { "[proxy]\nticket_keys = a\nticket_keys = b\n" GOOD,
      { DIAG_ERROR, 3, "ticket_keys", "set on line 2 already", NULL }, 0 },
    { GOOD "session_tickets = yes\n",
      { DIAG_ERROR, 7, "session_tickets", "not one of auto, on, off", NULL }, 0 },
    { GOOD "idle_timeout = 1w\n", { DIAG_ERROR, 7, "idle_timeout", "not a duration", "ms" }, 0 },
    { GOOD "idle_timeout = 31d\n", { DIAG_ERROR, 7, "idle_timeout", "0 to 30d", "" }, 0 },

    /* references */
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = t\nupstream = 127.0.0.1:2\n",
      { DIAG_ERROR, 5, "store", "there is no [store t]", "\"s\"" }, 1 },
    { GOOD "trust = believed\n",
      { DIAG_ERROR, 7, "trust", "there is no [trust believed]", "add a section [trust believed]" },
      0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = nowhere\n",
      { DIAG_ERROR, 6, "upstream", "there is no [upstream nowhere]", "an address with its port" },
      0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = /run/app.sock\n",
      { DIAG_ERROR, 6, "upstream", "there is no [upstream /run/app.sock]",
        "unix:/run/app.sock" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = builtin:pge\n",
      { DIAG_ERROR, 6, "upstream", "the only builtin is builtin:page", "" }, 0 },

    /* who is asked for a certificate */
    { GOOD "client_auth = requird\n",
      { DIAG_ERROR, 7, "client_auth", "not one of none, request, require", "\"require\"" }, 0 },
    { GOOD "client_auth = require\n",
      { DIAG_ERROR, 7, "client_auth", "cannot be checked without trust", "trust = NAME" }, 0 },
    { GOOD "client_auth = request\n",
      { DIAG_ERROR, 7, "client_auth", "cannot be checked without trust", "trust = NAME" }, 0 },
    { GOOD "client_auth = none\ntrust = t\n" TRUST,
      { DIAG_ERROR, 7, "client_auth", "no client would be asked", "request or require" }, 0 },

    /* who listens where */
    { GOOD "[route q]\nlisten = 127.0.0.1:9\nlisten = localhost:1\nstore = s\n"
           "upstream = 127.0.0.1:2\n",
      { DIAG_ERROR, 8, "listen", "[route r] listens there already (line 4)",
        "or tell them apart by sni or alpn" }, 0 },
    { GOOD "[route q]\nlisten = 0.0.0.0:1\nstore = s\nupstream = 127.0.0.1:2\n",
      { DIAG_WARNING, 8, "listen", "connections to 127.0.0.1:1 will go to [route r]", "" }, 0 },
    { GOOD "listen = [::]:5\n[route q]\nlisten = [::1]:5\nstore = s\nupstream = 127.0.0.1:2\n",
      { DIAG_WARNING, 9, "listen", "part of [::]:5 of [route r]", "" }, 0 },

    /* who may come in */
    { GOOD "trust = t\nallow = alice\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with what it looks at", "\"cn:alice\"" }, 0 },
    { GOOD "trust = t\nallow = spiffe://a/b\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"uri:spiffe://a/b\"" }, 0 },
    { GOOD "trust = t\nallow = node*\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"cn:node*\"" }, 0 },
    { GOOD "trust = t\nallow = CN=alice,OU=ops\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"cn:alice\"" }, 0 },
    { GOOD "trust = t\nallow = URI = spiffe://a/b\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"uri:spiffe://a/b\"" }, 0 },
    { GOOD "trust = t\nallow = bob@example.com\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"email:bob@example.com\"" }, 0 },
    { GOOD "trust = t\nallow = *.example.com\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"dns:*.example.com\"" }, 0 },
    { GOOD "trust = t\nallow = a.b.example.com\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"dns:a.b.example.com\"" }, 0 },
    { GOOD "trust = t\nallow = 10.0.0.0/8\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"ip:10.0.0.0/8\"" }, 0 },
    { GOOD "trust = t\nallow = 2001:db8::1\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"ip:2001:db8::1\"" }, 0 },
    { GOOD "trust = t\nallow = sha256//qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"sha256:sha256//qqq" }, 0 },
    { GOOD "trust = t\nallow = dn:a.example\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"cn:a.example\"" }, 0 },
    { GOOD "trust = t\nallow = serail:0a\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"serial:0a\"" }, 0 },
    { GOOD "trust = t\nallow = emial:*@a.example\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "\"email:*@a.example\"" }, 0 },
    { GOOD "trust = t\nallow = subject:x\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", "" }, 0 },
    { GOOD "trust = t\nallow = :alice\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a rule begins with", NULL }, 0 },
    { GOOD "trust = t\nallow = cn:\n" TRUST,
      { DIAG_ERROR, 8, "allow", "nothing behind", "" }, 0 },
    { GOOD "trust = t\nallow = cn: \n" TRUST,
      { DIAG_ERROR, 8, "allow", "nothing behind", "" }, 0 },
    { GOOD "trust = t\nallow = cn:a, cn:b\n" TRUST,
      { DIAG_ERROR, 8, "allow", "several rules in one value", "its own line" }, 0 },
    { GOOD "trust = t\nallow = dns:a.example,DNS:b.example\n" TRUST,
      { DIAG_ERROR, 8, "allow", "several rules", NULL }, 0 },
    { GOOD "trust = t\nallow = cn:a\tb\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a control character", "" }, 0 },
    { GOOD "trust = t\nallow = dns:a b\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a DNS name has", "" }, 0 },
    { GOOD "trust = t\nallow = dns:b\xc3\xbc" "cher.example\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a DNS name has", "xn--" }, 0 },
    { GOOD "trust = t\nallow = dns:a..b\n" TRUST,
      { DIAG_ERROR, 8, "allow", "between the dots", "" }, 0 },
    { GOOD "trust = t\nallow = dns:.example.com\n" TRUST,
      { DIAG_ERROR, 8, "allow", "between the dots", "" }, 0 },
    { GOOD "trust = t\nallow = dns:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaa.example\n" TRUST,
      { DIAG_ERROR, 8, "allow", "between the dots", "" }, 0 },
    { GOOD "trust = t\nallow = dns:**.example.com\n" TRUST,
      { DIAG_ERROR, 8, "allow", "never goes beyond a dot", "*.*.example.com" }, 0 },
    { GOOD "trust = t\nallow = uri:prod\n" TRUST,
      { DIAG_ERROR, 8, "allow", "a URI has a scheme", "write it whole" }, 0 },
    { GOOD "trust = t\nallow = uri:spiffe://**.prod/a\n" TRUST,
      { DIAG_ERROR, 8, "allow", "'**' can stand in the path", "take '*'" }, 0 },
    { GOOD "trust = t\nallow = uri:**://prod/a\n" TRUST,
      { DIAG_ERROR, 8, "allow", "'**' can stand in the path", NULL }, 0 },
    { GOOD "trust = t\nallow = uri:spiffe://a/[a-z]*/b\n" TRUST,
      { DIAG_WARNING, 8, "allow", "no URI has '[' there", "a rule for each" }, 0 },
    { GOOD "trust = t\ndeny = uri:spiffe://[::1]/{a,b}\n" TRUST,
      { DIAG_WARNING, 8, "deny", "no URI has '{' there", "a rule for each" }, 0 },
    { GOOD "trust = t\ndeny = uri:^spiffe://a/b$\n" TRUST,
      { DIAG_WARNING, 8, "deny", "no URI has '^' there", NULL }, 0 },
    { GOOD "trust = t\ndeny = uri:spiffe://a/b c\n" TRUST,
      { DIAG_WARNING, 8, "deny", "no URI has ' ' there", NULL }, 0 },
    { GOOD "trust = t\ndeny = uri:spiffe://a/\xc3\xa4\n" TRUST,
      { DIAG_WARNING, 8, "deny", "no URI has '\\xc3' there", NULL }, 0 },
    { GOOD "trust = t\nallow = ip:10.*\n" TRUST,
      { DIAG_ERROR, 8, "allow", NULL, "ip:10.1.0.0/16" }, 0 },
    { GOOD "trust = t\nallow = ip:10.0.0.1/8\n" TRUST,
      { DIAG_ERROR, 8, "allow", "the network is 10.0.0.0/8", "" }, 0 },
    { GOOD "trust = t\nallow = ip:10.0.0.0/33\n" TRUST,
      { DIAG_ERROR, 8, "allow", "prefix length", "" }, 0 },
    { GOOD "trust = t\nallow = ip:node1\n" TRUST,
      { DIAG_ERROR, 8, "allow", "not a numeric address", "" }, 0 },
    { GOOD "trust = t\nallow = email:bob\n" TRUST,
      { DIAG_ERROR, 8, "allow", "an address has an @", NULL }, 0 },
    { GOOD "trust = t\nallow = email:@example.com\n" TRUST,
      { DIAG_ERROR, 8, "allow", "an address has an @", NULL }, 0 },
    { GOOD "trust = t\nallow = email:bob@\n" TRUST,
      { DIAG_ERROR, 8, "allow", "an address has an @", NULL }, 0 },
    { GOOD "trust = t\nallow = email:**\n" TRUST,
      { DIAG_ERROR, 8, "allow", "an address has an @", NULL }, 0 },
    { GOOD "trust = t\nallow = email:**@a.example\n" TRUST,
      { DIAG_ERROR, 8, "allow", "never goes beyond the @", NULL }, 0 },
    { GOOD "trust = t\nallow = serial:12xy\n" TRUST,
      { DIAG_ERROR, 8, "allow", "hex digits", "openssl x509" }, 0 },
    { GOOD "trust = t\nallow = serial:0x\n" TRUST,
      { DIAG_ERROR, 8, "allow", "hex digits", NULL }, 0 },
    { GOOD "trust = t\nallow = serial:-1\n" TRUST,
      { DIAG_ERROR, 8, "allow", "hex digits", NULL }, 0 },
    { GOOD "trust = t\ndeny = sha256:abcd\n" TRUST,
      { DIAG_ERROR, 8, "deny", "a pin is the SHA-256 of a public key", "openssl pkey" }, 0 },
    { GOOD "trust = t\ndeny = sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" TRUST,
      { DIAG_ERROR, 8, "deny", "a pin is the SHA-256", NULL }, 0 },
    { GOOD "trust = t\ndeny = sha256:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq*\n" TRUST,
      { DIAG_ERROR, 8, "deny", "a pin is the SHA-256", NULL }, 0 },
    { GOOD "trust = t\nallow = cn:a\nallow = cn:a\n" TRUST,
      { DIAG_WARNING, 9, "allow", "the same rule as before (line 8)", "" }, 0 },
    { GOOD "trust = t\nallow = dns:A.example\nallow = dns:a.example.\n" TRUST,
      { DIAG_WARNING, 9, "allow", "the same rule as before (line 8)", "" }, 0 },
    { GOOD "trust = t\nallow = serial:0x0a\nallow = serial:A\n" TRUST,
      { DIAG_WARNING, 9, "allow", "the same rule as before (line 8)", "" }, 0 },
    { GOOD "trust = t\nallow = ip:10.1.2.3\nallow = ip:10.1.2.3/32\n" TRUST,
      { DIAG_WARNING, 9, "allow", "the same rule as before (line 8)", "" }, 0 },
    { GOOD "trust = t\nallow = URI:SPIFFE://A/b\nallow = uri:spiffe://a/b\n" TRUST,
      { DIAG_WARNING, 9, "allow", "the same rule as before (line 8)", "" }, 0 },
    { GOOD "trust = t\nallow = cn:a\nallow = cn:b\ndeny = cn:b\n" TRUST,
      { DIAG_WARNING, 9, "allow", "deny has the same rule (line 10), and wins", "" }, 0 },
    { GOOD "allow = cn:a\n",
      { DIAG_ERROR, 7, "allow", "a rule that nothing can match", "write trust = NAME" }, 0 },
    { GOOD "trust = t\nclient_auth = request\nallow = cn:a\n" TRUST,
      { DIAG_ERROR, 8, "client_auth", "matches no allow", "write require" }, 0 },

    /* several on one address */
#define ALSO "[route q]\nlisten = 127.0.0.1:1\nstore = s\nupstream = 127.0.0.1:2\n"
    { GOOD "sni = a.example, b.example\n" ALSO "sni = c.example, b.example\n",
      { DIAG_ERROR, 12, "sni", "[route r] has the name on 127.0.0.1:1 already (line 7)", "" }, 0 },
    { GOOD "alpn = h2, x\n" ALSO "alpn = x\n",
      { DIAG_ERROR, 9, "listen", "[route r] listens there already", "apart by sni" }, 0 },
    { GOOD ALSO "alpn = h2\n" "[route p]\nlisten = 127.0.0.1:1\nstore = s\nalpn = x\n"
           "upstream = 127.0.0.1:2\n[route o]\nlisten = 127.0.0.1:1\nstore = s\n"
           "alpn = x, h2\nupstream = 127.0.0.1:2\n",
      { DIAG_ERROR, 18, "listen", "[route r] listens there already", "apart by sni" }, 0 },
    { GOOD ALSO "sni = a.example\nplaintext_from = 127.0.0.1, 10.0.0.0/8\n",
      { DIAG_WARNING, 12, "plaintext_from", "of no effect", "that is [route r]" }, 0 },
    { GOOD "plaintext_from = loopback\nalpn = x\n" ALSO,
      { DIAG_WARNING, 7, "plaintext_from", "of no effect", "that is [route q]" }, 0 },
    { GOOD "sni = 10.0.0.1\n",
      { DIAG_ERROR, 7, "sni", "clients that connect to one send no server name", "leave sni out" },
      0 },
    { GOOD "sni = ::1\n", { DIAG_ERROR, 7, "sni", "send no server name", "leave sni out" }, 0 },
    { GOOD "sni = a.*.example\n",
      { DIAG_ERROR, 7, "sni", "a wildcard is the whole first label", "" }, 0 },
    { GOOD "sni = *\n", { DIAG_ERROR, 7, "sni", "a wildcard is the whole first label", "" }, 0 },
    { GOOD "sni = a.example:443\n", { DIAG_ERROR, 7, "sni", "no port", "" }, 0 },
    { GOOD "sni = https://a.example\n",
      { DIAG_ERROR, 7, "sni", "no scheme and no path", "" }, 0 },
    { GOOD "sni = m\303\274ller.example\n",
      { DIAG_ERROR, 7, "sni", "outside ASCII", "punycode" }, 0 },
    { GOOD "sni = a..example\n", { DIAG_ERROR, 7, "sni", "an empty label", "" }, 0 },
    { GOOD "sni = a.example, A.Example.\n", { DIAG_ERROR, 7, "sni", "listed twice", "" }, 0 },
    { GOOD "[listener 127.0.0.1:1]\nunknown_sni = refuse\n",
      { DIAG_ERROR, 8, "unknown_sni", "not one of default, reject", "" }, 0 },

    /* where plaintext may go */
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = 10.0.0.5:2\n",
      { DIAG_ERROR, 6, "upstream", "plaintext would leave this host",
        "write an [upstream] section with this server and plaintext_to = 10.0.0.5/32" },
      0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = [2001:db8::1]:2\n",
      { DIAG_ERROR, 8, "server", "plaintext would leave this host",
        "plaintext_to = 2001:db8::1/128" },
      0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 10.1.0.5:2\nplaintext_to = loopback, 10.0.0.0/16\n",
      { DIAG_ERROR, 8, "server", "plaintext would leave this host", "10.1.0.5/32" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 10.1.0.5:2\nplaintext_to = any\n",
      { DIAG_ERROR, 9, "plaintext_to", "not a numeric address or network", NULL }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 10.1.0.5:2\nplaintext_to = 10.1.0.5/16\n",
      { DIAG_ERROR, 9, "plaintext_to", "the network is 10.1.0.0/16", NULL }, 0 },

    /* [upstream] */
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n",
      { DIAG_ERROR, 7, "server", "required, and not set", "plaintext service" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = db:0\n",
      { DIAG_ERROR, 8, "server", "port 0", "" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 127.0.0.1:2\ncheck = ping\n",
      { DIAG_ERROR, 9, "check", "not one of off, auto, tcp", NULL }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 127.0.0.1:2\ncheck = http\n",
      { DIAG_ERROR, 9, "check", "needs a path", "http GET /healthz" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 127.0.0.1:2\ncheck = http GET /a b\n",
      { DIAG_ERROR, 9, "check", "no spaces", "" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 127.0.0.1:2\nrise = 0\n",
      { DIAG_ERROR, 9, "rise", "from 1 to 100", "" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 127.0.0.1:2\ncheck = off\non_down = close\n",
      { DIAG_ERROR, 10, "on_down", "no server goes down", "set check" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = builtin:page\ncheck = tcp\n",
      { DIAG_ERROR, 9, "check", "always up", "leave it out" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 127.0.0.1:0\n",
      { DIAG_ERROR, 8, "server", "port 0", "" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 127.0.0.1:2, 127.0.0.1:3\n",
      { DIAG_ERROR, 8, "server", "several addresses in one value", "its own line" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1, 127.0.0.1:2\nstore = s\nupstream = 127.0.0.1:2\n",
      { DIAG_ERROR, 4, "listen", "several addresses in one value", "its own line" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 127.0.0.1:2\nserver = [::1]:2\nserver = localhost:2\n",
      { DIAG_ERROR, 10, "server", "listed twice", "" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = db.example:2\nserver = db.example:3\nserver = DB.example:02\n",
      { DIAG_ERROR, 10, "server", "listed twice", "" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 127.0.0.1:2\nserver = builtin:page\n",
      { DIAG_ERROR, 9, "server", "no other server stands beside it", "" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = builtin:page\nserver = 127.0.0.1:2\n",
      { DIAG_ERROR, 9, "server", "no other server stands beside it", "" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 127.0.0.1:2\nserver = 10.1.0.5:2\n",
      { DIAG_ERROR, 9, "server", "plaintext would leave this host", "10.1.0.5/32" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 127.0.0.1:2\nbalance = roundrobin\n",
      { DIAG_ERROR, 9, "balance", "not one of", "round_robin" }, 0 },
    { STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\nupstream = u\n[upstream u]\n"
            "server = 127.0.0.1:2\nconnect_timeout = 0\n",
      { DIAG_ERROR, 9, "connect_timeout", "1ms to 10m", "" }, 0 },

    /* what nobody uses */
    { GOOD "[store t]\ncert = d\n", { DIAG_WARNING, 7, "", "no route uses it", "" }, 0 },
    { GOOD TRUST, { DIAG_WARNING, 7, "", "no route uses it", "" }, 0 },
    { GOOD "[upstream u]\nserver = 127.0.0.1:3\n",
      { DIAG_WARNING, 7, "", "no route uses it", "" }, 0 },
};

Test(rules, each_broken_once)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct diags d = { 0 };
        struct conf *c = build_text(cases[i].ini, strlen(cases[i].ini), &d);

        cr_expect(find_finding(&d, &cases[i].x) != NULL,
                  "case %zu, expected %s: line %u %s: %s (%s)\n%s\nsaid\n%s", i,
                  cases[i].x.level == DIAG_ERROR ? "error" : "warning", cases[i].x.line,
                  cases[i].x.key, cases[i].x.message, cases[i].x.hint, cases[i].ini, findings(&d));
        cr_expect(cases[i].others || d.n == 1, "case %zu: %zu findings\n%s\nsaid\n%s", i, d.n,
                  cases[i].ini, findings(&d));
        cr_expect_eq(c == NULL, d.errors > 0, "case %zu: %s", i,
                     c ? "a configuration in spite of errors" : "none, and no error");
        conf_free(c);
        diags_free(&d);
    }
}

Test(rules, all_errors_are_shown_at_once)
{
    const char *ini = "[proxy]\n"
                      "workers = many\n"
                      "drain_timeout = 5\n"
                      "colour = blue\n"
                      "[store s]\n"
                      "[route r]\n"
                      "listen = nowhere\n"
                      "store = x\n"
                      "client_auth = require\n";
    struct diags d = { 0 };

    cr_assert_null(build_text(ini, strlen(ini), &d));
    /* three in [proxy], cert, listen, no [store x], client_auth, upstream */
    cr_assert_eq(d.errors, 8, "%zu errors\n%s", d.errors, findings(&d));
    diags_free(&d);
}

Test(rules, a_refused_value_does_not_cause_others)
{
    const char *ini = STORE "[route r]\nlisten = 127.0.0.1:1\nstore = s\ntrust = t\n"
                            "client_auth = requird\nupstream = u\n" TRUST
                            "[upstream u]\nserver = 10.0.0.1:1\nplaintext_to = 10.0.0.0/33\n";
    struct diags d = { 0 };

    cr_assert_null(build_text(ini, strlen(ini), &d));
    cr_assert_eq(d.n, 2, "%s", findings(&d));
    diags_free(&d);
}

Test(rules, a_pin_is_not_repeated)
{
    const char *ini = "[store s]\ncert = c.pem\nkey = pkcs11:token=a?pin-value=1234\n" ROUTE;
    struct diags d = { 0 };

    cr_assert_null(build_text(ini, strlen(ini), &d));
    cr_assert_eq(d.n, 1);
    cr_assert_null(d.v[0].value);
    cr_assert_null(strstr(findings(&d), "1234"), "%s", findings(&d));
    diags_free(&d);
}
