/*
 * What the preloaded fault library (preload.c) and the tests share: a block of memory in a file.
 * The tests write it, the process under test reads it at each call, so faults begin and end while
 * the program runs. tests/faults/control.py knows the same layout.
 */
#ifndef FAULTS_PRELOAD_H
#define FAULTS_PRELOAD_H

#include <stdint.h>

enum fault_mode {
	FAULT_MODE_OFF,
	FAULT_MODE_RANDOM,     /* by the rates, from the seed */
	FAULT_MODE_CALL,       /* the nth system call fails, once */
	FAULT_MODE_ALLOCATION, /* the nth allocation of at least `threshold` bytes fails, once */
};

enum { FAULT_NAME_BYTES = 32 };

struct fault_control {
	uint32_t mode;
	uint32_t variant; /* which of a call's faults: variant modulo their number */
	uint64_t nth;	  /* from 1 */
	uint64_t threshold;
	uint64_t seen;		      /* calls that could have failed since it was set */
	uint64_t fired;		      /* faults made */
	char call[FAULT_NAME_BYTES];  /* of the latest fault */
	char fault[FAULT_NAME_BYTES]; /* its errno's name or "short" */
};

#endif
