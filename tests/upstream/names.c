/* Names with several addresses, preloaded into a server: getaddrinfo(3) of NAME.addresses.test,
 * NAME being addresses with other marks for theirs, gives these in their order. It is how a test
 * has a name of which one address is dead, whatever the machine's own files and resolvers say. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

typedef int lookup_t(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static const char suffix[] = ".addresses.test";

/* The first address of a list, and what follows it; "-" stands for
 * the dots of one, "_" for its colons. */
static const char *take_address(const char *at, const char *end, char *ret_address, size_t size)
{
    size_t len = 0;

    while (at != end && *at != '.' && len + 1 < size) {
        ret_address[len++] = *at == '-' ? '.' : *at == '_' ? ':' : *at;
        at++;
    }
    ret_address[len] = '\0';
    return at == end ? at : at + 1;
}

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict node,
                                                       const char *restrict service,
                                                       const struct addrinfo *restrict hints,
                                                       struct addrinfo **restrict ret_found)
{
    lookup_t *lookup = (lookup_t *)dlsym(RTLD_NEXT, "getaddrinfo");
    size_t len = node == NULL ? 0 : strlen(node);
    struct addrinfo **tail = ret_found;
    const char *end;
    int ret;

    if (len < sizeof(suffix) || strcmp(node + len - strlen(suffix), suffix) != 0)
        return lookup(node, service, hints, ret_found);
    end = node + len - strlen(suffix);
    *tail = NULL;
    while (node != end) {
        char address[64];
        node = take_address(node, end, address, sizeof(address));
        if ((ret = lookup(address, service, hints, tail)) != 0)
            return ret;
        while (*tail != NULL)
            tail = &(*tail)->ai_next;
    }
    return 0;
}
