// SPDX-License-Identifier: GPL-2.0
#include "exit_kinds.h"
#include "kvm_btf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "KVM_MEMATTR_EXIT_"

/* An enumerator that is the limit between kinds, not a kind. */
#define LIMIT PREFIX "EJECTED"

static void set_name(struct exit_kind *kind, const char *enumerator)
{
	const char *from = enumerator + strlen(PREFIX);
	size_t i;

	for (i = 0; from[i] && i < sizeof(kind->name) - 1; i++)
		kind->name[i] = from[i] == '_' ? '-' : tolower((unsigned char)from[i]);
	kind->name[i] = '\0';
}

static int read_kinds(struct exit_kinds *kinds, const struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, "kvm_memattr_exit_kind", BTF_KIND_ENUM);
	const struct btf_type *type = btf__type_by_id(btf, id < 0 ? 0 : id);

	if (id < 0)
		return id;
	kinds->kinds = calloc(btf_vlen(type), sizeof(*kinds->kinds));
	if (!kinds->kinds)
		return -ENOMEM;
	for (int i = 0; i < btf_vlen(type); i++) {
		const char *name = btf__name_by_offset(btf, btf_enum(type)[i].name_off);
		uint32_t value = btf_enum(type)[i].val;

		if (!strcmp(name, LIMIT)) {
			kinds->first_ejected = value;
		} else if (!strncmp(name, PREFIX, strlen(PREFIX))) {
			kinds->kinds[kinds->count].value = value;
			set_name(&kinds->kinds[kinds->count++], name);
		}
	}
	return 0;
}

int exit_kinds_load(struct exit_kinds *kinds)
{
	struct kvm_btf kvm;
	int err;

	*kinds = (struct exit_kinds){};
	err = kvm_btf_load(&kvm);
	if (err)
		return err;
	err = read_kinds(kinds, kvm.btf);
	kvm_btf_free(&kvm);
	return err;
}

void exit_kinds_free(struct exit_kinds *kinds)
{
	free(kinds->kinds);
	*kinds = (struct exit_kinds){};
}

const char *exit_kinds_name(const struct exit_kinds *kinds, uint32_t value)
{
	for (size_t i = 0; i < kinds->count; i++)
		if (kinds->kinds[i].value == value)
			return kinds->kinds[i].name;
	return NULL;
}
