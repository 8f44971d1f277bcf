check_PROGRAMS += unit_proto
TESTS += unit_proto
unit_proto_SOURCES = tests/unit/proto/test_hello.c tests/unit/proto/test_http1.c tests/unit/proto/test_jks.c tests/unit/proto/test_probe.c tests/unit/proto/test_proxyhdr.c
unit_proto_CFLAGS = $(AM_CFLAGS) $(CRITERION_CFLAGS)
unit_proto_LDADD = libproto.a libbase.a $(UNIT_LDADD_TAIL)
