/* SPDX-License-Identifier: Apache-2.0 */
/* The tests of the writer once more, with its copying in plain C. */
#include "test_write.c"
