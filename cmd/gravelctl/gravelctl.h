/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAVEL_CMD_GRAVELCTL_H
#define GRAVEL_CMD_GRAVELCTL_H

#define GRAVELCTL "gravelctl"

/* Each command is a function from its own arguments, argv[0] being "gravelctl COMMAND", to an exit code. */

int gravelctl_check(int argc, char **argv);

#endif
