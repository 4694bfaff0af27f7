#include "base/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mem_out(size_t bytes)
{
	/* stderr is unbuffered: this allocates nothing. */
	fprintf(stderr, "level=fatal msg=\"out of memory\" bytes=%zu\n", bytes);
	abort();
}

void *mem_alloc(size_t bytes)
{
	void *memory = malloc(bytes ? bytes : 1);

	if (!memory)
		mem_out(bytes);
	return memory;
}

void *mem_zalloc(size_t bytes)
{
	return mem_zalloc_array(1, bytes);
}

void *mem_zalloc_array(size_t count, size_t bytes_each)
{
	void *memory = calloc(count ? count : 1, bytes_each ? bytes_each : 1);

	if (!memory)
		mem_out(bytes_each);
	return memory;
}

void *mem_grow_array(void *old, size_t count, size_t bytes_each)
{
	size_t bytes;
	void *memory;

	if (__builtin_mul_overflow(count, bytes_each, &bytes))
		mem_out(SIZE_MAX);
	memory = realloc(old, bytes ? bytes : 1);
	if (!memory)
		mem_out(bytes);
	return memory;
}

char *mem_strdup(const char *text)
{
	return text ? mem_strndup(text, strlen(text)) : NULL;
}

char *mem_strndup(const char *text, size_t length)
{
	char *copy = mem_alloc(length + 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *mem_printf(const char *format, ...)
{
	char *text = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		mem_out(0);
	return text;
}

void *mem_try_alloc(size_t bytes)
{
	return malloc(bytes ? bytes : 1);
}
