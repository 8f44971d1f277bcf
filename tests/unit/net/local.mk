check_PROGRAMS += unit_net
TESTS += unit_net
unit_net_SOURCES = \
	tests/unit/net/test_dial.c \
	tests/unit/net/test_loop.c \
	tests/unit/net/test_resolve.c \
	tests/unit/net/test_sock.c \
	tests/unit/net/test_stream.c \
	tests/unit/net/test_watch.c
unit_net_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
unit_net_LDADD = libnet.a libbase.a $(UNIT_LDADD_TAIL)
