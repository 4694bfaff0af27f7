#include "mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
	if (memory == NULL) {
		fputs("ollama-sim: out of memory\n", stderr);
		abort();
	}
	return memory;
}

void *mem_zalloc(size_t bytes)
{
	return checked(calloc(1, bytes == 0 ? 1 : bytes));
}

void *mem_grow_array(void *old, size_t count, size_t bytes_each)
{
	size_t bytes = 0;

	if (__builtin_mul_overflow(count, bytes_each, &bytes))
		checked(NULL);
	return checked(realloc(old, bytes == 0 ? 1 : bytes));
}

char *mem_strdup(const char *text)
{
	return text == NULL ? NULL : checked(strdup(text));
}

char *mem_strndup(const char *text, size_t length)
{
	char *copy = checked(malloc(length + 1));

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *mem_printf(const char *format, ...)
{
	char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	return checked(text);
}
