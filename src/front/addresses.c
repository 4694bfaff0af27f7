#include "front/addresses.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/util.h>

#include "base/memory.h"

enum {
	/* A power of two, here and after each doubling. */
	FIRST_BUCKETS = 64,
	ADDRESS_BYTES = 16,
	MAPPED_BYTES = 12, /* before the IPv4 address in an IPv6 one */
};

/* Odd, with bits all over: the golden ratio's. */
#define MIX UINT64_C(0x9e3779b97f4a7c15)

struct key {
	unsigned char bytes[ADDRESS_BYTES];
	uint32_t scope;
};

struct address_count {
	struct address_count *next; /* in its bucket */
	struct key key;
	size_t connections;
};

struct addresses {
	struct address_count **buckets;
	size_t buckets_count;
	size_t count;
	uint64_t seed; /* nobody can choose addresses that fall into one bucket */
};

struct addresses *addresses_create(void)
{
	struct addresses *addresses = mem_zalloc(sizeof(*addresses));

	addresses->buckets_count = FIRST_BUCKETS;
	addresses->buckets = mem_zalloc_array(FIRST_BUCKETS, sizeof(struct address_count *));
	evutil_secure_rng_get_bytes(&addresses->seed, sizeof(addresses->seed));
	return addresses;
}

void addresses_destroy(struct addresses *addresses)
{
	if (!addresses)
		return;
	assert(addresses->count == 0);
	free(addresses->buckets);
	free(addresses);
}

/* false: it has none. */
static bool key_of(const struct sockaddr *address, struct key *ret_key)
{
	static const unsigned char mapped[MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};

	memset(ret_key, 0, sizeof(*ret_key));
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *ipv4 = (const void *)address;

		memcpy(ret_key->bytes, mapped, sizeof(mapped));
		memcpy(ret_key->bytes + sizeof(mapped), &ipv4->sin_addr, sizeof(ipv4->sin_addr));
		return true;
	}
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *ipv6 = (const void *)address;

		memcpy(ret_key->bytes, &ipv6->sin6_addr, sizeof(ipv6->sin6_addr));
		ret_key->scope = ipv6->sin6_scope_id;
		return true;
	}
	return false;
}

static struct address_count **bucket_of(const struct addresses *addresses, const struct key *key)
{
	uint64_t hash = addresses->seed;
	uint64_t words[2];

	memcpy(words, key->bytes, sizeof(words));
	hash = (hash ^ words[0]) * MIX;
	hash = (hash ^ hash >> 32 ^ words[1]) * MIX;
	hash = (hash ^ hash >> 32 ^ key->scope) * MIX;
	return &addresses->buckets[(hash ^ hash >> 32) & (addresses->buckets_count - 1)];
}

static bool is_same(const struct key *left, const struct key *right)
{
	return left->scope == right->scope &&
	       memcmp(left->bytes, right->bytes, sizeof(left->bytes)) == 0;
}

/* Where it hangs, or where it would. */
static struct address_count **find(const struct addresses *addresses, const struct key *key)
{
	struct address_count **place = bucket_of(addresses, key);

	while (*place && !is_same(&(*place)->key, key))
		place = &(*place)->next;
	return place;
}

static void grow(struct addresses *addresses)
{
	struct address_count **old = addresses->buckets;
	size_t old_count = addresses->buckets_count;

	addresses->buckets_count *= 2;
	addresses->buckets =
		mem_zalloc_array(addresses->buckets_count, sizeof(struct address_count *));
	for (size_t i = 0; i < old_count; i++) {
		while (old[i]) {
			struct address_count *moved = old[i];
			struct address_count **bucket = bucket_of(addresses, &moved->key);

			old[i] = moved->next;
			moved->next = *bucket;
			*bucket = moved;
		}
	}
	free(old);
}

struct address_count *addresses_enter(struct addresses *addresses, const struct sockaddr *address)
{
	struct address_count **place;
	struct key key;

	if (!key_of(address, &key))
		return NULL;
	if (addresses->count >= addresses->buckets_count)
		grow(addresses);
	place = find(addresses, &key);
	if (!*place) {
		*place = mem_zalloc(sizeof(**place));
		(*place)->key = key;
		addresses->count++;
	}
	(*place)->connections++;
	return *place;
}

void addresses_leave(struct addresses *addresses, struct address_count *count)
{
	struct address_count **place;

	if (!count)
		return;
	assert(count->connections > 0);
	if (--count->connections > 0)
		return;
	place = find(addresses, &count->key);
	assert(*place == count);
	*place = count->next;
	addresses->count--;
	free(count);
}

size_t addresses_connections(const struct addresses *addresses, const struct sockaddr *address)
{
	const struct address_count *found;
	struct key key;

	if (!key_of(address, &key))
		return 0;
	found = *find(addresses, &key);
	return found ? found->connections : 0;
}
