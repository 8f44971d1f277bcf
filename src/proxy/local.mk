noinst_LIBRARIES += libproxy.a
libproxy_a_SOURCES = \
	src/proxy/account.c src/proxy/account.h \
	src/proxy/conn.c src/proxy/conn.h src/proxy/conn_state.h \
	src/proxy/conn_announce.c \
	src/proxy/conn_connect.c \
	src/proxy/conn_drain.c \
	src/proxy/conn_handshake.c \
	src/proxy/conn_linger.c \
	src/proxy/conn_original.c \
	src/proxy/conn_relay.c \
	src/proxy/conn_review.c \
	src/proxy/conn_secure.c \
	src/proxy/conn_source.c \
	src/proxy/conn_log.c src/proxy/conn_log.h \
	src/proxy/counters.tbl \
	src/proxy/endpoint.c src/proxy/endpoint.h \
	src/proxy/ledger.c src/proxy/ledger.h \
	src/proxy/listener.c src/proxy/listener.h \
	src/proxy/policy.c src/proxy/policy.h \
	src/proxy/page.c src/proxy/page.h \
	src/proxy/page_text.c src/proxy/page_text.h \
	src/proxy/reasons.tbl \
	src/proxy/repeats.c src/proxy/repeats.h \
	src/proxy/conn_opening.c \
	src/proxy/route.c src/proxy/route.h \
	src/proxy/relay.c src/proxy/relay.h \
	src/proxy/snap_upstream.c src/proxy/snap_upstream.h \
	src/proxy/snapshot.c src/proxy/snapshot.h \
	src/proxy/sources.c src/proxy/sources.h \
	src/proxy/trial.c src/proxy/trial.h \
	src/proxy/upstream.c src/proxy/upstream.h \
	src/proxy/worker.c src/proxy/worker.h
