#!/bin/sh
# sparse does not ask whether a lock is held when a function is called that requires it.
#
# Version:  sparse 0.6.4 (Debian 12: 0.6.4-3).
# Expected: sparse(1), under -Wcontext, says that functions with the attribute
#           context(expression, in_context, out_context) require the expression, for instance
#           a lock, to have the value in_context when they are called. The kernel's
#           __must_hold(lock) is context(lock, 1, 1), so a call without any lock should give a
#           warning, and so should a call while another lock is held.
# Seen:     Neither call gives a warning. sparse adds up the difference out - in of each call,
#           which is 0 here, and it keeps one sum per function, whatever the expressions are.
#           For the same reason, taking one lock and dropping another one passes as balanced.
#           Only a sum that is wrong at the end of a function, or below zero, is reported.
# Effect:   A clean run does not show that callers obey __must_hold(); lockdep_assert_held() does
#           at run time.
#
# Needs apt-get and dpkg-deb. Exit status: 0 as described, 1 different, 2 could not be tried.

set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

apt-get -qq -o APT::Sandbox::User=root download sparse=0.6.4-3 ||
	{ echo "not tried: the package is not offered here; run apt-get update" >&2; exit 2; }
dpkg-deb -x sparse_*.deb root

cat > locks.c <<'END'
#define CONTEXT(lock, in, out) __attribute__((context(lock, in, out)))

struct lock { int taken; };
static struct lock slots_lock, mmu_lock;
static int pages;

extern void take(struct lock *lock) CONTEXT(lock, 0, 1);
extern void drop(struct lock *lock) CONTEXT(lock, 1, 0);

static void count_page(void) CONTEXT(&mmu_lock, 1, 1)
{
	pages++;
}

extern void no_lock_at_all(void);
void no_lock_at_all(void)
{
	count_page();
}

extern void other_lock(void);
void other_lock(void)
{
	take(&slots_lock);
	count_page();
	drop(&slots_lock);
}

extern void take_one_drop_other(void);
void take_one_drop_other(void)
{
	take(&slots_lock);
	drop(&mmu_lock);
}

extern void never_dropped(void);
void never_dropped(void)
{
	take(&mmu_lock);
}
END
root/usr/bin/sparse -Wcontext locks.c > seen 2>&1 || true

echo "warnings of sparse 0.6.4:"
cat seen
changed=0
grep -q "in 'never_dropped'" seen || { echo "CHANGED: the lock that is never dropped is not reported"; changed=1; }
for function in no_lock_at_all other_lock take_one_drop_other; do
	lines=$(sed -n "/^void $function(/,/^}/=" locks.c)
	for line in $lines; do
		if grep -q "^locks.c:$line:" seen; then
			echo "CHANGED: sparse now reports $function()"
			changed=1
		fi
	done
done
[ "$changed" -eq 0 ] || exit 1
echo "as described: sparse reports the lock that is never dropped, and not the 3 other wrong uses"
