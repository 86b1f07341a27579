// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "ejections.h"
#include "audit.skel.h"
#include "audit_vms.h"
#include "command.h"
#include "kvm_core.h"
#include "vm_text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Some 300 events: policies leave seldom, and all VMs at once at most. */
#define RING_BYTES (64 << 10)

static void print_exit(const char *policy, const struct vm *vm, const char *kind,
		       const struct audit_exit *exit, bool refused)
{
	char text[AUDIT_TEXT_LEN], scope[VM_TEXT_LEN];

	name_clean(text, sizeof(text), exit->text);
	fprintf(stderr, "%s: %s: %s %s: %s %" PRId64 ": %s\n", program_invocation_short_name, policy,
		refused ? "it refused" : "the kernel ejected it from", vm_text(vm, scope), kind,
		(int64_t)exit->code, text);
}

static int on_event(void *context, void *data, size_t size)
{
	struct ejections *ejections = context;
	const struct audit_exit *exit = data;
	const char *kind = exit_kinds_name(&ejections->kinds, exit->kind) ?: "unknown";
	const struct vm *vm = audit_vms_find(&exit->event.vm);
	bool refused = !strcmp(kind, "refused");
	struct policy_link link;
	struct vm_policy state;

	(void)size;
	/*
	 * A VM can also lose a policy of its own, with which it then is under the one for all VMs.
	 */
	if (policy_link_read(ejections->link_fd, &link) ||
	    strncmp(exit->policy, link.name, AUDIT_POLICY_LEN) ||
	    (!vm_policy_read(vm, &state) && state.link_id == link.id))
		return 0;
	ejections->left = true;
	if (exit->kind < ejections->kinds.first_ejected && !refused)
		return 0;
	ejections->ejected = true;
	print_exit(link.name, vm, kind, exit, refused);
	return 0;
}

static int load(struct ejections *ejections)
{
	struct kvm_core core;
	int err = kvm_core_open(&core);

	if (err)
		return err;
	ejections->bpf = audit_bpf__open_opts(core.options);
	if (ejections->bpf) {
		bpf_program__set_autoload(ejections->bpf->progs.audit_convert, false);
		bpf_map__set_max_entries(ejections->bpf->maps.ring, RING_BYTES);
		err = audit_bpf__load(ejections->bpf);
	} else {
		err = -errno;
	}
	kvm_core_close(&core);
	return err;
}

int ejections_open(struct ejections *ejections)
{
	struct diag diag;
	int err;

	*ejections = (struct ejections){};
	err = exit_kinds_load(&ejections->kinds);
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "cannot watch for ejections: %s", strerror(-err));
	err = load(ejections);
	if (err) {
		diag_bpf_load(&diag, err);
		return diag_print(&diag, EXIT_SYSTEM);
	}
	ejections->ring = ring_buffer__new(bpf_map__fd(ejections->bpf->maps.ring), on_event,
					   ejections, NULL);
	err = ejections->ring ? audit_bpf__attach(ejections->bpf) : -errno;
	if (err)
		return diag_fail(EXIT_FAILED, NULL, "cannot watch for ejections: %s", strerror(-err));
	return EXIT_OK;
}

void ejections_close(struct ejections *ejections)
{
	ring_buffer__free(ejections->ring);
	audit_bpf__destroy(ejections->bpf);
	exit_kinds_free(&ejections->kinds);
}

int ejections_fd(const struct ejections *ejections)
{
	return ring_buffer__epoll_fd(ejections->ring);
}

static bool governs_a_vm(uint32_t link_id)
{
	struct vm_list list;
	bool found = false;

	/* If it cannot be known, it may. */
	if (vm_list_read(&list, 0))
		return true;
	for (size_t i = 0; !found && i < list.count; i++) {
		struct vm_policy state;

		found = !vm_policy_read(&list.vms[i], &state) && state.link_id == link_id;
	}
	vm_list_free(&list);
	return found;
}

bool ejections_print(struct ejections *ejections, int link_fd)
{
	uint64_t lost = ejections->bpf->bss->lost;
	struct policy_link link;

	ejections->link_fd = link_fd;
	ejections->left = false;
	ring_buffer__consume(ejections->ring);
	if (!(ejections->left || lost) || !ejections->ejected || policy_link_read(link_fd, &link))
		return false;
	return !governs_a_vm(link.id);
}
