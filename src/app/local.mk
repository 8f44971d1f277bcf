AM_CPPFLAGS += -DSALLYPORT_VERSION='"$(PACKAGE_VERSION)"'

noinst_LIBRARIES += libapp.a
libapp_a_SOURCES = \
	src/app/admin.c src/app/admin.h \
	src/app/admin_sockets.c src/app/admin_sockets.h \
	src/app/askers.c src/app/askers.h \
	src/app/caps.c src/app/caps.h \
	src/app/catalog.c src/app/catalog.h \
	src/app/channel.c src/app/channel.h \
	src/app/child.c src/app/child.h \
	src/app/coverage.c src/app/coverage.h \
	src/app/cpus.c src/app/cpus.h \
	src/app/dialler.c src/app/dialler.h \
	src/app/edition.c src/app/edition.h \
	src/app/endpoints.c src/app/endpoints.h \
	src/app/expiry.c src/app/expiry.h \
	src/app/folder.c src/app/folder.h \
	src/app/follow.c src/app/follow.h \
	src/app/handover.c src/app/handover.h \
	src/app/health.c src/app/health.h src/app/health_log.c src/app/health_names.c \
	src/app/health_parts.h \
	src/app/hops.c src/app/hops.h \
	src/app/httpd.c src/app/httpd.h \
	src/app/inherited.c src/app/inherited.h \
	src/app/inputs.c src/app/inputs.h \
	src/app/inventory.c src/app/inventory.h \
	src/app/inventory_diff.c src/app/inventory_diff.h \
	src/app/knock.c src/app/knock.h \
	src/app/listeners.c src/app/listeners.h \
	src/app/loader.c src/app/loader.h src/app/loader_job.c \
	src/app/logsink.c src/app/logsink.h \
	src/app/master.c src/app/master.h src/app/master_state.h src/app/master_tell.c \
	src/app/memfile.c src/app/memfile.h \
	src/app/metrics.c src/app/metrics.h \
	src/app/monitor.c src/app/monitor.h \
	src/app/notify.c src/app/notify.h \
	src/app/outcome.c src/app/outcome.h \
	src/app/plan.h \
	src/app/pool.c src/app/pool.h \
	src/app/privs.c src/app/privs.h \
	src/app/reload.c src/app/reload.h \
	src/app/reach.c src/app/reach.h \
	src/app/report.c src/app/report.h \
	src/app/role.c src/app/role.h \
	src/app/roster.c src/app/roster.h \
	src/app/sandbox.c src/app/sandbox.h src/app/sandbox_parts.h \
	src/app/sandbox_calls.c src/app/sandbox_landlock.c \
	src/app/spawn.c src/app/spawn.h \
	src/app/status.c src/app/status.h src/app/status_json.c src/app/status_text.c \
	src/app/status_html.h \
	src/app/stores.c src/app/stores.h src/app/stores_folder.c src/app/stores_state.h \
	src/app/takeover.c src/app/takeover.h \
	src/app/tickets.c src/app/tickets.h \
	src/app/verdict.c src/app/verdict.h \
	src/app/viewer.c src/app/viewer.h \
	src/app/vitals.h \
	src/app/watchdog.c src/app/watchdog.h

# The status page, in the program. What is made stands at the top of the build, where the lints
# do not take it for a source.
EXTRA_DIST += src/app/status.html src/app/text_to_c.awk
nodist_libapp_a_SOURCES = status_html.c
CLEANFILES += status_html.c

status_html.c: $(srcdir)/src/app/status.html $(srcdir)/src/app/text_to_c.awk
	$(AM_V_GEN)LC_ALL=C $(AWK) -v name=status_html -f $(srcdir)/src/app/text_to_c.awk \
	    $(srcdir)/src/app/status.html >$@.new && mv $@.new $@
