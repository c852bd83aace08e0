/* utf8: is this text what strtab.h says names are: UTF-8, no form but the shortest, lone surrogates allowed?
 *
 * Owns nothing; any thread. O(length). Cannot fail.
 */
#ifndef MEMTALLY_UTF8_H
#define MEMTALLY_UTF8_H

#include "base.h"

bool utf8_valid(const void *bytes, size_t length);

#endif
