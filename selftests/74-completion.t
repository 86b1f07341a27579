#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Completion for bash offers what the tools have. No VM is needed.
. "$(dirname "$0")/lib/test.sh"
PATH=$PWD/build/bin:$PATH MEMATTR_POLICY_DIR=$PWD/build/bpf
. packaging/completion/memattr-policy

# completes LINE WORD...: at the end of LINE, exactly these words are on offer, in any order.
completes()
{
	local line=$1 expected offered

	shift
	read -ra COMP_WORDS <<<"$line"
	[[ $line != *' ' ]] || COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMPREPLY=()
	_memattr "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	expected=$(printf '%s\n' "$@" | sort)
	offered=$(printf '%s\n' "${COMPREPLY[@]}" | sort)
	[ "$offered" = "$expected" ] || { echo "$line: $offered"; return 1; }
}

# From the source, so that a command that --help forgets is missed here.
mapfile -t commands < <(sed -n 's/^\t\t\.name = "\(.*\)",$/\1/p' tools/memattr-policy/main.c)
mapfile -t policies < <(basename -s .bpf.o build/bpf/*.bpf.o | grep -vx audit)
ok "all commands" completes 'memattr-policy ' "${commands[@]}"
ok "commands by their beginning" completes 'memattr-policy lo' load
ok "policies" completes 'memattr-policy load ' "${policies[@]}"
ok "policies by their beginning" completes 'memattr-policy update rate' ratelimit
ok "options of a command" completes 'memattr-policy load ratelimit --p' --pid --pin
ok "parameters" completes 'memattr-policy load ratelimit --all to_' to_private= to_shared=
ok "what can be compared" completes 'memattr-policy compare none cur' current
ok "options of a comparison" completes 'memattr-policy compare none --s' --seconds --svg
ok "parameters of audit" completes 'memattr-policy audit min' min_pages=
ok "options of a tool" completes 'memattr-top --bat' --batch
ok "options for metrics" completes 'memattr-top --lis' --listen
ok "options of the other" completes 'prefault-trace --fold' --folded
mapfile -t views < <(sed -n 's/^\t\t\.word = "\([a-z]*\)",.*/\1/p' tools/memattr-top/columns.c)
ok "views" completes 'memattr-top --view ' "${views[@]}"
ok "views by their beginning" completes 'prefault-trace --view vc' vcpus
finish
