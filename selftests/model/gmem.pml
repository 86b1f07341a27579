/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In-place conversion of guest_memfd against all who use its pages meanwhile.
 * README.md says what is modelled, what is not, and what the mutants are.
 *
 * Comments name the kernel's functions with parentheses.
 */
#ifndef HOSTS
#define HOSTS 2		/* processes that map the file, 1 or 2 */
#endif
#ifndef VCPUS
#define VCPUS 1		/* 1 or 2 */
#endif
#ifndef INDEXES
#define INDEXES 1	/* pages of the file, 1 or 2 */
#endif
#ifndef GUPS
#define GUPS 1		/* threads that pin pages, 0 or 1 */
#endif
#ifndef PAGES
#define PAGES 2		/* of memory, numbered from 1; 2 or 3 */
#endif

/* What is to be shown to end, if anything: else it is safety that is checked. */
#if defined(CONVERSION_ENDS) || defined(PUNCH_ENDS)
#define FAIR
#endif
#ifdef CONVERSION_ENDS
#define CONVERTING(is)	busy = is
#else
#define CONVERTING(is)	skip
#endif
#ifdef PUNCH_ENDS
#define PUNCHING(is)	busy = is
#else
#define PUNCHING(is)	skip
#endif

#define NONE 0
#define SHARED 0
#define PRIVATE 1

/* --- what is shared ------------------------------------------------------ */

typedef folio {
	byte refs;		/* the page is free if there are none */
	bool locked;
	bool uptodate;		/* is zeroed */
	bool used;		/* has been given to somebody, so that its contents count */
	bool batched;		/* one of the references is that of a CPU's LRU batch */
};

folio page[PAGES + 1];
byte cache[INDEXES];		/* the page cache: page of each index */
bit attr[INDEXES];		/* the file's attributes */

byte pte[HOSTS * INDEXES];	/* the processes' page tables, ... */
byte tlb[HOSTS * INDEXES];	/* ... and what their CPUs may still use */
#define AT(m, i) ((m) * INDEXES + (i))

byte spte[INDEXES];		/* the guest's page table: page, and the attribute it is mapped for */
bit spte_attr[INDEXES];

/* mapping->invalidate_lock */
byte readers;
bool writer;
#ifdef FAIR
byte waiting;			/* writers */
byte last_writer;
#endif

/* What mmu_lock protects. Each atomic step that says so is one section under mmu_lock. */
byte in_progress;		/* kvm->mmu_invalidate_in_progress */
bool seq_moved[VCPUS];		/* kvm->mmu_invalidate_seq is not what the vCPU has read */

/* --- what only the properties see ---------------------------------------- */

byte host_has[HOSTS];		/* page that a fault in flight or an unmapping of this process holds */
byte gup_has;			/* page that GUP has a reference to, pinned or not yet */
bool gup_pinned;
#ifdef FAIR
bool busy;			/* the operation that has to end goes on */
#endif

#if HOSTS == 1
#define ANY_HOST(what, i)	(what(0, i))
#else
#define ANY_HOST(what, i)	(what(0, i) || what(1, i))
#endif
#if INDEXES == 1
#define ANY_INDEX(what, p)	(what(0, p))
#else
#define ANY_INDEX(what, p)	(what(0, p) || what(1, p))
#endif

#define PTE_MAPS(m, i)		(pte[AT(m, i)] == cache[i])
#define HOST_MAPS(m, i)		(PTE_MAPS(m, i) || tlb[AT(m, i)] == cache[i])
#define HOST_HOLDS(m, i)	(host_has[m] == cache[i])
#define HELD(i)			(ANY_HOST(HOST_HOLDS, i) || gup_has == cache[i])
#define GUP_PINS(i)		(gup_pinned && gup_has == cache[i])
#define IS_PRIVATE(i, p)	(cache[i] == p && attr[i] == PRIVATE)

#define HOST_USES(m, i, p)	(pte[AT(m, i)] == p || tlb[AT(m, i)] == p)
#if HOSTS == 1
#define HOSTS_USE(i, p)		HOST_USES(0, i, p)
#else
#define HOSTS_USE(i, p)		(HOST_USES(0, i, p) || HOST_USES(1, i, p))
#endif
#define USES(i, p)		(HOSTS_USE(i, p) || spte[i] == p || cache[i] == p)

/*
 * The names of the properties, as pan shows the text of an assertion that fails. With ONLY, the others
 * are not looked at: a mutant may violate several.
 */
hidden byte host_maps_private_page = 1, host_maps_punched_page = 2, gup_pins_private_page = 3,
	guest_maps_stale_attribute = 4, guest_maps_punched_page = 5, page_in_use_is_freed = 6,
	contents_are_lost = 7, contents_are_leaked = 8, attributes_change_after_eagain = 9,
	eagain_without_holder = 10;
#ifdef ONLY
#define NEVER(name, condition) assert(name != ONLY || !(condition))
#else
#define NEVER(name, condition) assert(!name || !(condition))
#endif

/* --- references and locks ------------------------------------------------- */

/* folio_put(): the last one frees the page. */
inline put_page(p) {
	page[p].refs--;
	if
	:: page[p].refs == 0 ->
		NEVER(page_in_use_is_freed, ANY_INDEX(USES, p));
		page[p].uptodate = false;
		page[p].used = false
	:: else
	fi
}

/*
 * Whether the lock is fair does not matter for safety, so all orders are tried. That a conversion
 * ends depends on it: readers queue up behind a waiting writer, and two writers take turns. Where
 * fairness is looked at, everybody may also do nothing for ever between two operations.
 */
#ifdef FAIR
#ifdef UNFAIR_LOCK
#define MAY_READ	(!writer)
#else
#define MAY_READ	(!writer && !waiting)
#endif
#define MAY_WRITE	(!writer && !readers && (waiting == 1 || last_writer != _pid + 1))
#define WAIT_TO_WRITE	waiting++
#define WRITE_LOCK	d_step { writer = true; waiting--; last_writer = _pid + 1 }
#define STAY		:: _nr_pr > 0	/* always true, but pan refuses a loop without condition */
#else
#define MAY_READ	(!writer)
#define MAY_WRITE	(!writer && !readers)
#define WRITE_LOCK	writer = true
#define STAY
#endif

/*
 * kvm_gmem_get_folio(): look the page up, or add a new one, which is locked and in a batch. When two
 * add at a time, the page cache takes one of them.
 */
inline grab_folio(i, p) {
	if
	:: cache[i] != NONE ->
		d_step { p = cache[i]; page[p].refs++ }
	:: cache[i] == NONE && page[1].refs == 0 -> add_folio(i, p, 1)
		:: cache[i] == NONE && page[2].refs == 0 -> add_folio(i, p, 2)
#if PAGES > 2
	:: cache[i] == NONE && page[3].refs == 0 -> add_folio(i, p, 3)
#endif
	:: else			/* there is no memory */
	fi
}

inline add_folio(i, p, new) {
	d_step {
		p = new;
		cache[i] = new;
		page[new].refs = 2;	/* the page cache's and ours */
		page[new].locked = true;
		locked = true;
#ifdef LRU
		page[new].refs++;
		page[new].batched = true
#endif
	}
}

#ifdef ZERO_UNLOCKED_PAGE
#define LOOKUP_STATE	bool locked, zero
#else
#define LOOKUP_STATE	bool locked
#endif

inline lock_folio(p) {
#ifdef ZERO_UNLOCKED_PAGE
	zero = !page[p].uptodate;
#endif
	if
	:: locked
	:: else -> !page[p].locked; page[p].locked = true
	fi;
	locked = false
}

/* The first one who uses a page zeroes it, under the page's lock. */
#if defined(NO_ZERO)
#define NEEDS_ZERO(p)	false
#elif defined(ZERO_UNLOCKED_PAGE)
#define NEEDS_ZERO(p)	zero
#else
#define NEEDS_ZERO(p)	(!page[p].uptodate)
#endif

inline zero_folio(p) {
	d_step {
		if
		:: NEEDS_ZERO(p) ->
			NEVER(contents_are_lost, page[p].used);
			page[p].uptodate = true
		:: else
		fi
	}
}

/* folio_unlock(), folio_put() */
inline unlock_and_put(p) {
	page[p].used = true;
	page[p].locked = false;
	put_page(p)
}

/* Any index where this is possible. */
#if INDEXES == 1
#define PICK(i, can)	can(0) -> i = 0
#else
#define PICK(i, can)	if :: can(0) -> i = 0 :: can(1) -> i = 1 fi
#endif

/* --- host ---------------------------------------------------------------- */

/*
 * zap_pte_range(): clear the PTE under the page table's lock, flush the TLB, and only then drop the
 * mapping's reference. It is the same for munmap, for unmap_mapping_pages() and truncation.
 */
inline clear_pte(m, i, p) {
	p = pte[AT(m, i)];
	pte[AT(m, i)] = NONE
}

inline flush_and_put(m, i, p) {
	d_step {
		tlb[AT(m, i)] = NONE;
		put_page(p);
		p = NONE
	}
}

#define IS_MAPPED(i)	(pte[AT(_pid, i)] != NONE)
#ifdef NO_LOCK
#define MAY_FAULT(i)	(pte[AT(_pid, i)] == NONE)
#define FAULT_LOCK	skip
#define FAULT_UNLOCK	skip
#else
#define MAY_FAULT(i)	(pte[AT(_pid, i)] == NONE && MAY_READ)
#define FAULT_LOCK	readers++
#define FAULT_UNLOCK	readers--
#endif

/* A process touches the file's mapping, or unmaps it. */
active [HOSTS] proctype host()
{
	byte p, i;
	LOOKUP_STATE;

idle:
	do
	STAY
	:: atomic {
		PICK(i, IS_MAPPED);
		clear_pte(_pid, i, p);
		host_has[_pid] = p
	   }
#ifdef PUT_BEFORE_FLUSH
	   d_step { put_page(p); host_has[_pid] = NONE };
	   d_step { tlb[AT(_pid, i)] = NONE; p = NONE; i = 0 }
#else
	   d_step { flush_and_put(_pid, i, p); host_has[_pid] = NONE; i = 0 }
#endif
	:: atomic {
		/* kvm_gmem_fault() */
		PICK(i, MAY_FAULT);
		FAULT_LOCK;
		if
		:: attr[i] == SHARED -> break
		:: else -> FAULT_UNLOCK; i = 0		/* SIGBUS */
		fi
	   }
	od;

	atomic {
		grab_folio(i, p);
		if
		:: p == NONE -> FAULT_UNLOCK; i = 0; goto idle	/* out of memory */
		:: else -> host_has[_pid] = p
		fi
	}
	atomic {
		lock_folio(p);
		zero_folio(p);
#ifdef FAULT_UNLOCKS_PAGE
		page[p].locked = false;
#endif
#ifdef FAULT_DROPS_REF
		page[p].refs--;
#endif
		FAULT_UNLOCK
	}
#ifdef FAULT_LOCKS_AGAIN
	atomic { MAY_READ; FAULT_LOCK };
	FAULT_UNLOCK;
#endif

	/* finish_fault(): only the page's lock and reference protect it now. */
	d_step {
		NEVER(host_maps_private_page, attr[i] == PRIVATE);
		NEVER(host_maps_punched_page, cache[i] != p);
		NEVER(contents_are_leaked, !page[p].uptodate);
		pte[AT(_pid, i)] = p;
		tlb[AT(_pid, i)] = p;
#ifdef FAULT_DROPS_REF
		page[p].refs++;
#endif
#ifndef MAPPING_HAS_NO_REF
		page[p].refs++
#endif
	}
	d_step { unlock_and_put(p); host_has[_pid] = NONE; p = NONE; i = 0 }
	goto idle
}

/* --- guest ---------------------------------------------------------------- */

#define VCPU (_pid - HOSTS)

#define IS_UNMAPPED(i)	(spte[i] == NONE)
#ifdef GUEST_NO_LOCK
#define GUEST_LOCK	skip
#define GUEST_UNLOCK	skip
#else
#define GUEST_LOCK	MAY_READ -> readers++
#define GUEST_UNLOCK	readers--
#endif
#ifdef NO_SEQ
#define IS_STALE	false
#else
#define IS_STALE	(in_progress > 0 || seq_moved[VCPU])
#endif

active [VCPUS] proctype vcpu()
{
	byte p, i;
	bit a;
	LOOKUP_STATE;

idle:
	seq_moved[VCPU] = true;
	do
	STAY
	:: atomic {
		/* kvm_faultin_pfn(): the sequence number, then the attribute, no lock. */
		PICK(i, IS_UNMAPPED);
#ifdef ATTR_BEFORE_SEQ
		a = attr[i];
#else
		seq_moved[VCPU] = false;
#endif
		break
	   }
	od;
#ifdef ATTR_BEFORE_SEQ
	seq_moved[VCPU] = false;
#else
	a = attr[i];
#endif

	/* kvm_gmem_get_pfn() */
	atomic {
		GUEST_LOCK;
		grab_folio(i, p);
		if
		:: p == NONE -> GUEST_UNLOCK; a = 0; i = 0; goto idle	/* out of memory */
		:: else
		fi
	}
	atomic {
		lock_folio(p);
		zero_folio(p);
		d_step {
#ifdef GUEST_KEEPS_REF
			page[p].refs++;
#endif
			unlock_and_put(p);
			GUEST_UNLOCK
		}
	}

	/* kvm_tdp_mmu_page_fault(): under mmu_lock. */
	atomic {
		/* is_page_fault_stale() */
		if
		:: IS_STALE -> goto retry
		:: else
		fi;
#ifdef STALE_CHECK_UNLOCKED
	}
	atomic {
#endif
		NEVER(guest_maps_stale_attribute, a != attr[i]);
		NEVER(guest_maps_punched_page, p != cache[i]);
		NEVER(contents_are_leaked, !page[p].uptodate);
		spte[i] = p;
		spte_attr[i] = a;
retry:
#ifdef GUEST_KEEPS_REF
		put_page(p);
#endif
		p = NONE;
		a = 0;
		i = 0;
		goto idle
	}
}

/* Under mmu_lock. */
inline zap_spte(i) {
	spte[i] = NONE;
	spte_attr[i] = 0
}

/* kvm_mmu_invalidate_end() */
inline invalidate_end() {
	d_step {
		seq_moved[0] = true;
#if VCPUS > 1
		seq_moved[1] = true;
#endif
		in_progress--
	}
}

#ifdef NO_INVALIDATION
#define BEGIN	skip
#define END	skip
#else
#define BEGIN	in_progress++
#define END	invalidate_end()
#endif

/* --- GUP ------------------------------------------------------------------ */

#if GUPS
#define IS_PRESENT(i)	(pte[AT(0, i)] != NONE)

/* A thread of process 0 pins pages, by what the PTEs say. For a PTE that is not there GUP faults as above. */
active proctype gup()
{
	byte p, i;

idle:
	do
	STAY
	:: atomic {
		/* follow_page_pte(): under the page table's lock. */
		PICK(i, IS_PRESENT);
		p = pte[AT(0, i)];
		page[p].refs++;
		gup_has = p;
		goto pin
	   }
	:: atomic {
		/* gup_fast_pte_range(): no lock. */
		PICK(i, IS_PRESENT);
		p = pte[AT(0, i)];
		break
	   }
	od;

	/* The page may be free by now, or another one's. */
	atomic {
		if
		:: page[p].refs > 0 -> page[p].refs++; gup_has = p
		:: else -> p = NONE; i = 0; goto idle
		fi
	}
	atomic {
		if
#ifdef GUP_READS_PTE_ONCE
		:: true -> goto pin
#else
		:: pte[AT(0, i)] == p -> goto pin
#endif
		:: else -> goto unpin
		fi
	}

pin:
	atomic {
		NEVER(gup_pins_private_page, ANY_INDEX(IS_PRIVATE, p));
		gup_pinned = true
	}
	do
	STAY
	:: break
	od;
unpin:
	atomic {
		gup_has = NONE;
		gup_pinned = false;
		put_page(p);
		p = NONE;
		i = 0;
		goto idle
	}
}
#endif

/* A CPU's batch of pages for the LRU lists gets full: lru_add_drain(). */
inline drain(p) {
	d_step {
		if
		:: page[p].batched -> page[p].batched = false; put_page(p)
		:: else
		fi
	}
}

#ifdef LRU
active proctype lru()
{
	do
	:: page[1].batched -> drain(1)
	:: page[2].batched -> drain(2)
#if PAGES > 2
	:: page[3].batched -> drain(3)
#endif
	STAY
	od
}
#endif

/* --- conversion ------------------------------------------------------------ */

#define CHANGES(i)	(first <= i && i < end && attr[i] != to)
#define IS_HELD(i)	(CHANGES(i) && cache[i] != NONE && page[cache[i]].refs > EXPECTED_REFS(i))

#ifdef UNMAP_AFTER_CHECK
#define EXPECTED_REFS(i) (1 + (pte[AT(0, i)] == cache[i]) + (HOSTS > 1 && pte[AT(HOSTS - 1, i)] == cache[i]))
#else
#define EXPECTED_REFS(i) 1	/* the page cache's; the one that the lookup takes is left out */
#endif

/* kvm_gmem_unmap_host() */
inline unmap_host() {
	do
	:: atomic {
		i < end && m < HOSTS ->
		late = late || host_has[m] != NONE;
		if
		:: pte[AT(m, i)] != NONE -> clear_pte(m, i, p)
		:: else -> m++
		fi
	   }
	   atomic {
		if
		:: p != NONE -> flush_and_put(m, i, p); m++
		:: else
		fi
	   }
	:: atomic { i < end && m == HOSTS -> i++; m = 0 }
	:: atomic { i == end -> i = first; break }
	od
}

/* kvm_gmem_find_held(): if a page has references that are not expected, drain the batches once. */
inline find_held() {
	do
	:: atomic {
		i < end && IS_HELD(i) ->
		if
#if defined(LRU) && !defined(NO_DRAIN)
		:: !drained ->
			drained = true;
			drain(1);
			drain(2);
#if PAGES > 2
			drain(3)
#endif
#endif
#ifdef WAITS_FOR_HOLDERS
		:: skip
#else
		:: else ->
			NEVER(eagain_without_holder, !HELD(i) && !(late && ANY_HOST(PTE_MAPS, i)));
			goto eagain
#endif
		fi
	   }
	:: atomic {
		i < end && !IS_HELD(i) ->
#ifdef COMMIT_BY_PAGE
		d_step { zap_spte(i); in_progress++; commit(i); invalidate_end() };
#endif
		i++
	   }
	:: atomic { i == end -> i = first; break }
	od
}

/* conversion_zap(): only the kind of mapping that gets stale. Between two pages mmu_lock may be yielded. */
inline zap_range() {
	BEGIN;
	do
	:: atomic {
		i < end ->
		if
		:: CHANGES(i) && spte_attr[i] != to -> zap_spte(i)
		:: else
		fi;
		i++
	   }
	:: i == end -> break
	od
}

inline commit(i) {
	if
	:: CHANGES(i) ->
		attr[i] = to;
		NEVER(host_maps_private_page, to == PRIVATE && cache[i] != NONE && ANY_HOST(HOST_MAPS, i));
		NEVER(gup_pins_private_page, to == PRIVATE && cache[i] != NONE && GUP_PINS(i));
		NEVER(guest_maps_stale_attribute, spte[i] != NONE && spte_attr[i] != to)
	:: else
	fi
}

/* conversion_commit() */
inline commit_range() {
	atomic {
		d_step {
			commit(0);
#if INDEXES > 1
			commit(1)
#endif
		}
	}
}

/* KVM_SET_MEMORY_ATTRIBUTES2. There is no slots_lock here, as invalidate_lock orders all that it would. */
active proctype converter()
{
	byte p, i, m, first, end = INDEXES;
	bit to;
	bit old[INDEXES];
	bool drained, late;

idle:
	do
	STAY
	:: break
	od;
#ifdef FAIR
	atomic { CONVERTING(true); WAIT_TO_WRITE };
#endif

	/* conversion_prepare() */
	atomic {
		MAY_WRITE -> WRITE_LOCK;
		if
		:: to = SHARED
		:: to = PRIVATE
		fi;
#if INDEXES > 1
		if
		:: first = 0; end = 2
		:: first = 0; end = 1
		:: first = 1; end = 2
		fi;
		old[1] = attr[1];
#endif
		old[0] = attr[0];
		if
		:: CHANGES(0)
#if INDEXES > 1
		:: CHANGES(1)
#endif
		:: else -> goto unlock
		fi;
		i = first;
		if
		:: to == SHARED -> goto zap
		:: else
		fi
	}

#if defined(UNMAP_AFTER_CHECK)
	find_held();
	unmap_host();
#elif defined(NO_UNMAP)
	find_held();
#elif defined(NO_REFCHECK)
	unmap_host();
#else
	unmap_host();
	find_held();
#endif

zap:
#if defined(COMMIT_BEFORE_ZAP)
	commit_range();
	zap_range();
	atomic { END; goto unlock }
#elif defined(END_BEFORE_COMMIT)
	zap_range();
	END;
	commit_range();
	goto unlock;
#else
	zap_range();
	commit_range();
	atomic { END; goto unlock }
#endif

eagain:
	NEVER(attributes_change_after_eagain, old[0] != attr[0]
#if INDEXES > 1
	      || old[1] != attr[1]
#endif
	      );
#ifdef EAGAIN_KEEPS_LOCK
	goto idle;
#endif

unlock:
	atomic {
		d_step {
			writer = false;
			CONVERTING(false);
			i = 0;
			m = 0;
			first = 0;
			end = INDEXES;
			to = 0;
			drained = false;
			late = false;
#if INDEXES > 1
			old[1] = 0;
#endif
			old[0] = 0
		}
		goto idle
	}
}

/* --- punch ---------------------------------------------------------------- */

#define ALWAYS(i)	true

active proctype puncher()
{
	byte p, q, i, m;

idle:
	do
	STAY
	:: PICK(i, ALWAYS); break
	od;
#ifdef FAIR
	atomic { PUNCHING(true); WAIT_TO_WRITE };
#endif

	/* kvm_gmem_punch_hole(): lock the file, then, under mmu_lock, zap. */
	atomic {
		MAY_WRITE -> WRITE_LOCK;
		BEGIN;
#ifndef PUNCH_NO_ZAP
		zap_spte(i)
#endif
	}

	/* truncate_inode_pages_range(): unmap and remove the page under its lock. */
	if
	:: atomic {
		cache[i] != NONE ->
		p = cache[i];
		page[p].refs++;
#ifndef PUNCH_NO_PAGE_LOCK
		!page[p].locked;
#endif
		page[p].locked = true
	   }
	   do
	   :: atomic {
		m < HOSTS ->
		if
		:: pte[AT(m, i)] != NONE -> clear_pte(m, i, q)
		:: else -> m++
		fi
	      }
	      atomic {
		if
		:: q != NONE -> flush_and_put(m, i, q); m++
		:: else
		fi
	      }
	   :: atomic { m == HOSTS -> m = 0; break }
	   od;
	   atomic {
		NEVER(host_maps_punched_page, ANY_HOST(PTE_MAPS, i));
		NEVER(guest_maps_punched_page, spte[i] != NONE);
		d_step {
			cache[i] = NONE;
			page[p].locked = false;
			put_page(p);
			put_page(p);
			p = NONE
		}
	   }
	:: else
	fi;
	atomic {
		END;
		PUNCHING(false);
		writer = false;
		i = 0;
		goto idle
	}
}

#ifdef FAIR
ltl ends { [] (busy -> <> !busy) }
#endif
