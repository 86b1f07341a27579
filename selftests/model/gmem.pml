/* SPDX-License-Identifier: GPL-2.0 */
/*
 * In-place conversion of guest_memfd against all who use its pages meanwhile.
 * README.md says what is modelled, what is not, and what the mutants show.
 *
 * A function that a comment names with parentheses has that part of the work in the kernel.
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
#define PAGES (INDEXES + 1)	/* physical pages, numbered from 1: an index and a spare one */

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
bool converting;
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

/* The names of the properties: pan prints the assertion that fails. */
hidden byte host_maps_private_page, host_maps_punched_page, gup_pins_private_page, guest_maps_stale_attribute,
	guest_maps_punched_page, page_in_use_is_freed, contents_are_lost, contents_are_leaked,
	attributes_change_after_eagain, eagain_without_holder;
#define NEVER(name, condition) assert(name || !(condition))

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
#define MAY_READ	(!writer && !waiting)
#define MAY_WRITE	(!writer && !readers && (waiting == 1 || last_writer != _pid + 1))
#define WAIT_TO_WRITE	waiting++
#define WRITE_LOCK	d_step { writer = true; waiting--; last_writer = _pid + 1 }
#define STAY		:: skip
#else
#define MAY_READ	(!writer)
#define MAY_WRITE	(!writer && !readers)
#define WAIT_TO_WRITE
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

inline lock_folio(p) {
	if
	:: locked
	:: else -> !page[p].locked; page[p].locked = true
	fi;
	locked = false
}

/* The first one who uses a page zeroes it, under the page's lock. */
inline zero_folio(p) {
	d_step {
		if
		:: !page[p].uptodate ->
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

/* --- host ---------------------------------------------------------------- */

/*
 * zap_pte_range(): clear the PTE under the page table's lock, flush the TLB, and only then drop the
 * mapping's reference. It is the same for munmap(), unmap_mapping_pages() and truncation.
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

/* A process touches the file's mapping, or unmaps it. */
active [HOSTS] proctype host()
{
	byte p, i;
	bool locked;

idle:
	do
	STAY
#if INDEXES > 1
	:: i = 1 - i
#endif
	:: atomic {
		pte[AT(_pid, i)] != NONE ->
		clear_pte(_pid, i, p);
		host_has[_pid] = p
	   }
	   atomic {
		flush_and_put(_pid, i, p);
		host_has[_pid] = NONE
	   }
	:: atomic {
		/* kvm_gmem_fault() */
		pte[AT(_pid, i)] == NONE && MAY_READ -> readers++;
		if
		:: attr[i] == SHARED -> break
		:: else -> readers--			/* SIGBUS */
		fi
	   }
	od;

	atomic {
		grab_folio(i, p);
		if
		:: p == NONE -> readers--; goto idle
		:: else -> host_has[_pid] = p
		fi
	}
	atomic { lock_folio(p); zero_folio(p); readers-- }

	/* finish_fault(): only the page's lock and reference protect it now. */
	d_step {
		NEVER(host_maps_private_page, attr[i] == PRIVATE);
		NEVER(host_maps_punched_page, cache[i] != p);
		NEVER(contents_are_leaked, !page[p].uptodate);
		pte[AT(_pid, i)] = p;
		tlb[AT(_pid, i)] = p;
		page[p].refs++
	}
	d_step { unlock_and_put(p); host_has[_pid] = NONE; p = NONE }
	goto idle
}

/* --- guest ---------------------------------------------------------------- */

#define VCPU (_pid - HOSTS)

active [VCPUS] proctype vcpu()
{
	byte p, i;
	bit a;
	bool locked;

idle:
	seq_moved[VCPU] = true;
	do
	STAY
#if INDEXES > 1
	:: i = 1 - i
#endif
	:: atomic {
		/* kvm_mmu_faultin_pfn(): the sequence number, then the attribute, no lock. */
		spte[i] == NONE ->
		seq_moved[VCPU] = false;
		break
	   }
	od;
	a = attr[i];

	/* kvm_gmem_get_pfn() */
	atomic {
		MAY_READ -> readers++;
		grab_folio(i, p);
		if
		:: p == NONE -> readers--; a = 0; goto idle
		:: else
		fi
	}
	atomic { lock_folio(p); zero_folio(p); d_step { unlock_and_put(p); readers-- } }

	/* kvm_tdp_mmu_page_fault(): under mmu_lock. */
	atomic {
		if
		/* is_page_fault_stale() */
		:: in_progress > 0 || seq_moved[VCPU]
		:: else ->
			NEVER(guest_maps_stale_attribute, a != attr[i]);
			NEVER(guest_maps_punched_page, p != cache[i]);
			NEVER(contents_are_leaked, !page[p].uptodate);
			spte[i] = p;
			spte_attr[i] = a
		fi;
		p = NONE;
		a = 0;
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

/* --- GUP ------------------------------------------------------------------ */

/* A thread of process 0 pins pages, by what the PTEs say. For a PTE that is not there GUP faults as above. */
active proctype gup()
{
	byte p, i;

idle:
	do
	STAY
#if INDEXES > 1
	:: i = 1 - i
#endif
	:: atomic {
		/* follow_page_pte(): under the page table's lock. */
		pte[AT(0, i)] != NONE ->
		p = pte[AT(0, i)];
		page[p].refs++;
		gup_has = p;
		goto pin
	   }
	:: atomic {
		/* gup_fast_pte_range(): no lock. */
		pte[AT(0, i)] != NONE ->
		p = pte[AT(0, i)];
		break
	   }
	od;

	/* The page may be free by now, or another one's. */
	atomic {
		if
		:: page[p].refs > 0 -> page[p].refs++; gup_has = p
		:: else -> p = NONE; goto idle
		fi
	}
	atomic {
		if
		:: pte[AT(0, i)] == p -> goto pin
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
		goto idle
	}
}

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
#define IS_HELD(i)	(CHANGES(i) && cache[i] != NONE && page[cache[i]].refs > 1)

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
	d_step { converting = true; WAIT_TO_WRITE };
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

	/* kvm_gmem_unmap_host() */
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
	od;

	/* kvm_gmem_find_held(): a page with more references than the page cache's is in use. */
	do
	:: atomic {
		i < end && IS_HELD(i) ->
		if
#ifdef LRU
		:: !drained ->
			drained = true;
			drain(1);
			drain(2);
#if PAGES > 2
			drain(3)
#endif
#endif
		:: else ->
			NEVER(eagain_without_holder, !HELD(i) && !(late && ANY_HOST(PTE_MAPS, i)));
			goto eagain
		fi
	   }
	:: atomic { i < end && !IS_HELD(i) -> i++ }
	:: atomic { i == end -> i = first; break }
	od;

zap:
	/* conversion_zap(): only the kind of mapping that gets stale. Between two pages mmu_lock may be yielded. */
	in_progress++;
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
	od;

	/* conversion_commit() */
	atomic {
		d_step {
			commit(0);
#if INDEXES > 1
			commit(1)
#endif
		}
	}
	atomic { invalidate_end(); goto unlock }

eagain:
	NEVER(attributes_change_after_eagain, old[0] != attr[0]
#if INDEXES > 1
	      || old[1] != attr[1]
#endif
	      );

unlock:
	atomic {
		d_step {
			writer = false;
#ifdef FAIR
			converting = false;
#endif
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

active proctype puncher()
{
	byte p, q, i, m;

idle:
	do
	STAY
#if INDEXES > 1
	:: i = 1 - i
#endif
	:: break
	od;
	WAIT_TO_WRITE;

	/* kvm_gmem_punch_hole(): lock the file, then, under mmu_lock, zap. */
	atomic {
		MAY_WRITE -> WRITE_LOCK;
		in_progress++;
		zap_spte(i)
	}

	/* truncate_inode_pages_range(): unmap and remove the page under its lock. */
	if
	:: atomic {
		cache[i] != NONE ->
		p = cache[i];
		page[p].refs++;
		!page[p].locked;
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
	atomic { invalidate_end(); writer = false; goto idle }
}

#ifdef FAIR
ltl conversion_ends { [] (converting -> <> !converting) }
#endif
