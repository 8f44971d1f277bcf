noinst_LIBRARIES += libproto.a
libproto_a_SOURCES = \
	src/proto/hello.c src/proto/hello.h \
	src/proto/http1.c src/proto/http1.h \
	src/proto/proxyhdr.c src/proto/proxyhdr.h \
	src/proto/jks.c src/proto/jks.h
