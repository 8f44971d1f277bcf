# For Prometheus and Grafana: rules can be loaded from where they are installed.
monitoringdir = $(pkgdatadir)/monitoring
dist_monitoring_DATA = monitoring/README.md monitoring/alerts.yaml monitoring/alerts_test.yaml \
	monitoring/grafana.json
