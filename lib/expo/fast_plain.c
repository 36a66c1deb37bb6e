/* SPDX-License-Identifier: Apache-2.0 */
/* The fast reader with words of eight bytes, for machines without other blocks. */
#include "fast_read.h"
