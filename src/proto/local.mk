noinst_LIBRARIES += libproto.a
libproto_a_SOURCES = \
	src/proto/probe.c src/proto/probe.h src/proto/probe_parts.h \
	src/proto/probe_cql.c src/proto/probe_dask.c src/proto/probe_grpc.c src/proto/probe_http.c \
	src/proto/probe_zookeeper.c \
	src/proto/hello.c src/proto/hello.h \
	src/proto/http1.c src/proto/http1.h \
	src/proto/proxyhdr.c src/proto/proxyhdr.h \
	src/proto/jks.c src/proto/jks.h
