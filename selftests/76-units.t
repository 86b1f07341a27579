#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The units under systemd itself, with all that they forbid the programs, on Debian's kernel. It is the first process of a PID
# namespace, and its root is a copy of this machine's with no units but ours.
. "$(dirname "$0")/lib/test.sh"
systemd=/lib/systemd/systemd
[ -x $systemd ] || { echo "1..0 # SKIP there is no systemd on this machine"; exit 0; }
patched=debian
in_vm --timeout 1200
. selftests/lib/policy.sh
root=$tmp/root units=$tmp/root/run/units rules=$tmp/root/etc/memattr/policies.d

# --- a root ---
mkdir $root $tmp/upper $tmp/work
mount -t overlay -o "lowerdir=/,upperdir=$tmp/upper,workdir=$tmp/work" none $root || exit 1
mount -t tmpfs run $root/run
mount -t tmpfs tmp $root/tmp
mkdir -p $units $root/old $root/usr/sbin $root/usr/local/lib/memattr $rules
cp $policy build/bin/memattr-guest build/bin/memattr-top $root/usr/sbin
cp build/bpf/*.bpf.o $policies/fault.bpf.o $root/usr/local/lib/memattr
cp packaging/systemd/*.service /lib/systemd/system/systemd-journald.service /lib/systemd/system/systemd-journald*.socket $units
for target in sysinit basic shutdown sockets default; do
	printf '%s\n' '[Unit]' "Description=$target" DefaultDependencies=no >$units/$target.target
done
echo 'Wants=systemd-journald.service memattr-policies.service memattr-watch.service' >>$units/default.target
echo 0123456789abcdef0123456789abcdef >$root/etc/machine-id

# --- systemd ---
cat >$root/run/start <<'END'
set -e
mount --make-rprivate /
cd $1
for dir in dev sys; do
	mount --rbind /$dir $dir
done
mount -t proc proc proc
umount -l sys/fs/cgroup
mount -t cgroup2 cgroup sys/fs/cgroup
pivot_root . old
umount -l /old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_UNIT_PATH=/run/units /lib/systemd/systemd --system
END
unshare --mount --pid --fork --cgroup sh $root/run/start $root >$tmp/systemd 2>&1 &
# within COMMAND...: beside systemd.
within() { nsenter -t "$(pgrep -ox systemd)" -a -r -w -- "$@"; }
# waits_until COMMAND...: at most a minute.
waits_until()
{
	for _ in $(seq 120); do
		"$@" && return
		sleep 0.5
	done
	echo "waited a minute for: $*"
	return 1
}
shows=$tmp/systemd
is_up() { pgrep -x systemd && within systemctl is-active default.target; }
ok "systemd runs" waits_until is_up
within true || { finish; exit 1; }
shows="$out $err"

# rule POLICY [PARAMETER]...: the only file of policies.d.
rule()
{
	printf '%s\n' '[policy]' "file = $1" 'vms = all' '[parameters]' >$rules/10-all.conf
	shift
	printf '%s\n' "$@" >>$rules/10-all.conf
}
# governs FILTER: what memattr-policy list says of the only policy.
governs() { run 0 within memattr-policy list --json && json_is "length == 1 and (.[0] | $1)" $out; }
# unit UNIT STATE: as systemctl show names states, such as active/exited.
unit()
{
	run 0 within systemctl show -P ActiveState -P SubState $1 && [ "$(paste -sd / $out)" = $2 ]
}
journal_has() { within journalctl --no-pager "$@" >$out && grep . $out; }

# --- policies ---
ok "without a file nothing is started" unit memattr-policies inactive/dead
rule ratelimit rate=1000
ok "start" run 0 within systemctl start memattr-policies memattr-watch
ok "policies are applied" unit memattr-policies active/exited
ok "new VMs are watched for" unit memattr-watch active/running
ok "the policy is in force" governs '.policy == "ratelimit" and .scope == "all"'
link=$(jq '.[0].link_id' $out)
ok "the journal says so" journal_has -u memattr-policies -g 'ratelimit: attached to all VMs'
within memattr-guest --name web --scenario churn --mem 4 --duration 1000 >/dev/null 2>&1 &
has_guest() { governs ".vms | map(.name) == [\"web\"]"; }
ok "a guest is under it" waits_until has_guest
rule ratelimit rate=500
ok "reload" run 0 within systemctl reload memattr-policies
ok "the same link governs the guest" governs ".link_id == $link and (.vms | length == 1)"
ok "restart" run 0 within systemctl restart memattr-policies memattr-watch
ok "the same link still governs it" governs ".link_id == $link and (.vms | length == 1)"

# --- metrics ---
exports() { curl -sS --max-time 20 http://127.0.0.1:9123/metrics >$out 2>$err && grep "$1" $out; }
ok "metrics: nothing listens yet" eval '! exports memattr'
ok "start" run 0 within systemctl start memattr-export
ok "they are served" waits_until exports '^memattr_vm_exits_total{.*name="web"'
ok "with nothing lost" exports '^memattr_lost_events_total 0$'
ok "every hook of the first view is there" exports '^memattr_vm_policy_info{.*name="web",policy="ratelimit"} 1$'
mkdir $units/memattr-export.service.d
printf '%s\n' '[Service]' 'Environment="MEMATTR_EXPORT=--textfile /run/metrics/memattr.prom -d 1"' ReadWritePaths=/run/metrics \
	>$units/memattr-export.service.d/textfile.conf
mkdir $root/run/metrics
ok "a drop-in: a file instead" run 0 within sh -c 'systemctl daemon-reload && systemctl restart memattr-export'
has_file() { grep '^memattr_vm_exits_total{.*name="web"' $root/run/metrics/memattr.prom; }
ok "which gets the metrics" waits_until has_file
ok "stop" run 0 within systemctl stop memattr-export
ok "it has stopped" unit memattr-export inactive/dead

# --- policies again ---
rule nosuch
ok "a file that is wrong: the unit fails" run 1 within systemctl restart memattr-policies
ok "its state is failed" unit memattr-policies failed/failed
ok "the journal has the reason" journal_has -u memattr-policies -g "no policy 'nosuch'"
ok "and the old policy is in force" governs ".link_id == $link and .policy == \"ratelimit\" and (.vms | length == 1)"
rule fault convert_ret=1
ok "another policy" run 0 within systemctl restart memattr-policies
ejected() { journal_has -k -g "memattr policy 'fault' ejected from VM"; }
ok "its ejection is in the journal" waits_until ejected
rule seal
ok "a policy that is right" run 0 within systemctl restart memattr-policies
ok "governs the guest again" governs '.policy == "seal" and (.vms | length == 1)'
ok "stop" run 0 within systemctl stop memattr-policies memattr-watch
ok "nothing runs" eval 'unit memattr-policies inactive/dead && unit memattr-watch inactive/dead'
ok "and the policy stays" governs '.policy == "seal" and (.vms | length == 1)'
finish
