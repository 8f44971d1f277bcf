check_PROGRAMS += unit_proxy
TESTS += unit_proxy
unit_proxy_SOURCES = \
	tests/unit/proxy/test_account.c \
	tests/unit/proxy/test_ledger.c \
	tests/unit/proxy/test_listener.c \
	tests/unit/proxy/test_policy.c \
	tests/unit/proxy/test_page.c \
	tests/unit/proxy/test_relay.c \
	tests/unit/proxy/test_repeats.c \
	tests/unit/proxy/test_route.c \
	tests/unit/proxy/test_snap_upstream.c \
	tests/unit/proxy/test_upstream.c
unit_proxy_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
unit_proxy_LDADD = libproxy.a libtls.a libnet.a libconf.a libproto.a libbase.a $(UNIT_LDADD_TAIL)
