/*
 * Moves a full log aside: PATH becomes PATH.1, PATH.1 becomes PATH.2 and so on; the oldest is
 * deleted. Called by sink, which then opens PATH anew. Some renames of files in one folder:
 * bounded, and no data is copied.
 */
#ifndef SO_OBSERVE_ROTATE_H
#define SO_OBSERVE_ROTATE_H

#include <stdbool.h>

#include "base/compiler.h"

/* `keep` old files stay, at least 1. false: PATH could not be moved, errno says why. */
MUST_CHECK bool rotate_files(const char *path, int keep);

#endif
