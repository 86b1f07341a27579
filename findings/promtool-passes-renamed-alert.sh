#!/bin/sh
# "promtool test rules" passes a test of an alert that no rule defines.
#
# Version:  promtool 2.42.0 (Debian 12: prometheus 2.42.0+ds-5+deb12u1).
# Expected: Prometheus's page "Unit testing for rules" calls alertname in alert_rule_test the name
#           of the alert to be tested, and exp_alerts the alerts that are expected to fire under
#           it. A name that none of the rule_files defines cannot be tested, so promtool should
#           say so: it does warn of a missing rule file and does refuse an unknown field.
# Seen:     If no alerts are expected, the test passes with SUCCESS and status 0, without a warning.
#           The same goes for promql_expr_test with a metric that neither the series nor the rules
#           have. Here the alert was renamed in the rules and does fire at that time.
# Effect:   "This must not fire" tests go on passing after an alert is renamed or removed, when
#           they test nothing any more. Each such name needs a second case in which it does fire.
#
# Needs apt-get and dpkg-deb; the package has 19 MB. Exit status: 0 as described, 1 different,
# 2 could not be tried.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-get -qq -o APT::Sandbox::User=root download prometheus=2.42.0+ds-5+deb12u1 ||
	{ echo "not tried: the package is not offered here; run apt-get update" >&2; exit 2; }
dpkg-deb -x prometheus_*.deb root

cat > rules.yml <<'END'
groups:
- name: vm
  rules:
  - alert: VmFaultsTooOften
    expr: vm_faults > 100
END

# $1 is the name of the alert that is expected not to fire. The function prints promtool's status.
status_for() {
	cat > test.yml <<-END
		rule_files: [rules.yml]
		tests:
		- interval: 1m
		  input_series:
		  - series: vm_faults{vm="one"}
		    values: 500 500 500
		  alert_rule_test:
		  - eval_time: 2m
		    alertname: $1
		    exp_alerts: []
	END
	status=0
	root/usr/bin/promtool test rules test.yml > "$1.log" 2>&1 || status=$?
	echo "$status"
}

present=$(status_for VmFaultsTooOften)
renamed=$(status_for VmFaultsHigh)
echo "expecting that VmFaultsTooOften, which fires, does not fire: status $present"
echo "expecting that VmFaultsHigh, which does not exist, does not fire: status $renamed"
cat VmFaultsHigh.log
[ "$present" -ne 0 ] || { echo "CHANGED: a firing alert passes as not firing"; exit 1; }
[ "$renamed" -eq 0 ] || { echo "CHANGED: an alert that does not exist is not accepted"; exit 1; }
grep -qi 'warn' VmFaultsHigh.log && { echo "CHANGED: promtool warns of the unknown name"; exit 1; }
echo "as described: the test of an alert that does not exist passes without a warning"
