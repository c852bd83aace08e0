/* reporting_more: another source file of the extension `reporting`, connected by the first one's Memtally_Import. */
#include <memtally.h>

#ifdef __cplusplus
extern "C" {
#endif
int report_from_another_file(unsigned int domain, const void *block, size_t size);
#ifdef __cplusplus
}
#endif

int report_from_another_file(unsigned int domain, const void *block, size_t size) {
    return Memtally_Track(domain, block, size);
}
