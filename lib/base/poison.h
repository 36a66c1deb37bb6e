/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_LIB_BASE_POISON_H
#define GRAVEL_LIB_BASE_POISON_H

#include <stddef.h>

/* In a build with AddressSanitizer memory that was put back to a pool or slab is as forbidden as freed memory; in others this is nothing. */

#if defined(__SANITIZE_ADDRESS__)
#define GS_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GS_POISON 1
#endif
#endif

#ifdef GS_POISON
/* The sanitizer's own, as its interface header has them. */
void __asan_poison_memory_region(void const volatile *p, size_t n);
void __asan_unpoison_memory_region(void const volatile *p, size_t n);
#define gs_poison(p, n) __asan_poison_memory_region(p, n)
#define gs_unpoison(p, n) __asan_unpoison_memory_region(p, n)
#else
#define gs_poison(p, n) ((void)(p))
#define gs_unpoison(p, n) ((void)(p))
#endif

#endif
