#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# bench/hardware, with less memory: what the file has and has not, on the patched and on the stock kernel.
. "$(dirname "$0")/lib/test.sh"

says()	# STATUS TEXT OPTION...
{
	said_status=$1 said_text=$2
	shift 2
	bench/hardware "$@" >"$tmp/out" 2>&1
	[ $? = "$said_status" ] && grep -q -- "$said_text" "$tmp/out"
}

# part NAME VM_OPTION...: the tests of this part, in a VM.
part()
{
	part=$1
	shift
	subtest "$part" selftests/vm/run "$@" -- "$script" in-vm "$part"
}

if [ -z "$inside" ]; then
	ok "--help: all options" eval 'says 0 "--quick" --help && says 0 "--pid PID" --help && says 0 "--show FILE" --help'
	ok "a wrong option: 2, and the next command" says 2 'try: bench/hardware --help' --quik
	ok "no number of a process: 2" says 2 '--pid needs the number' --pid me
	part patched --kernel "$patched"
	[ "${MEMATTR_KERNEL:-}" ] || part stock --kernel stock
	finish
	exit
fi

file=$tmp/hardware.json
host=secret-host
busybox hostname $host
mkfifo $tmp/go $tmp/ready
build/bin/memattr-guest --name secret-vm --scenario churn --mem 4 --rate 5 --duration 10000 --wait <$tmp/go 2>$tmp/ready >$tmp/guest &
guest=$!
exec 8>$tmp/go 9<$tmp/ready
read -r _ <&9
echo >&8
bench/hardware --quick --pid $guest $file >$tmp/out 2>$tmp/err
status=$?
kill -KILL $guest
ok "it ends with 0" eval '[ $status = 0 ] || { cat $tmp/err; false; }'

ok "the kernel" json_is ".host.kernel == \"$(uname -r)\"" $file
ok "the CPU" json_is '.host.cpu | .vendor_id and .["model name"] and (.cpus > 0) and (.memory_mib > 0) and .virtual' $file
ok "KVM's parameters" json_is '.host.modules | .kvm.parameters.tdp_mmu == "Y" and .kvm_amd.parameters.npt and .kvm_intel == null' $file
ok "what the doctor finds" json_is '.host.doctor | .cpu == "ok" and .["vm-types"]' $file
# figures NAME COUNT FIELD: the benchmark has at least so many figures with this field, all above 0 where they cannot be 0.
figures()
{
	json_is "[.results[] | select(.benchmark == \"$1\").figures[].$3 | select(. > 0)] | length >= $2" $file
}
ok "conversions" eval 'figures conversion 1 changed_ns && figures conversion 1 unchanged_ns'
ok "attributes" figures attributes 6 value
ok "pre-faults and faults" eval 'figures prefault 1 page_ns && figures prefault 1 pages'
ok "time of the CPU that perf has measured" json_is '.results | length > 0 and all(.task_clock_ms > 0)' $file
if [ "$2" = patched ]; then
	ok "policies" eval 'figures "conversion, a policy'"'"'s convert" 1 changed_ns && figures "prefault, faultaround" 1 page_ns'
	ok "KVM is patched" json_is '.host.doctor.patched == "ok"' $file
	ok "conversions of the running VM" json_is '.vms[0].to_priv > 0' $file
else
	ok "no policies" json_is '[.results[] | select(.benchmark | test("policy|faultaround"))] | length == 0' $file
	ok "KVM is not patched" json_is '.host.doctor.patched == "lacks"' $file
fi
ok "exits of the running VM" json_is '.vms | length == 1 and .[0].exits > 0 and (.[0].reasons | length > 0)' $file
for name in $host secret-vm root '127\.0\.0\.1' /; do
	ok "nothing of: $name" lacks "$name" $file
done
ok "no number of a process" json_is '.vms[0] | has("pid") or has("fd") | not' $file
ok "a table" eval 'bench/hardware --show $file >$tmp/table && grep -q "^prefault  *walk-64m  *page_ns  *[0-9]" $tmp/table'
finish
