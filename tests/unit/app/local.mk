check_PROGRAMS += unit_app
TESTS += unit_app
unit_app_SOURCES = \
	tests/unit/app/facts.c tests/unit/app/facts.h \
	tests/unit/app/fixture.h \
	tests/unit/app/scratch.c tests/unit/app/scratch.h \
	tests/unit/app/test_channel.c \
	tests/unit/app/test_child.c \
	tests/unit/app/test_cpus.c \
	tests/unit/app/test_endpoints.c \
	tests/unit/app/test_expiry.c \
	tests/unit/app/test_folder.c \
	tests/unit/app/test_httpd.c \
	tests/unit/app/test_inventory.c \
	tests/unit/app/test_listeners.c \
	tests/unit/app/test_loader.c \
	tests/unit/app/test_loader_again.c \
	tests/unit/app/test_monitor.c \
	tests/unit/app/test_status_html.c \
	tests/unit/app/test_sandbox.c \
	tests/unit/app/test_takeover.c \
	tests/unit/app/test_tickets.c \
	tests/unit/app/test_verdict.c \
	tests/unit/app/test_vitals.c
unit_app_CFLAGS = $(UNIT_CFLAGS)
unit_app_LDADD = libapp.a libproxy.a libtls.a libnet.a libconf.a libproto.a libbase.a \
	$(UNIT_LDADD_TAIL)
