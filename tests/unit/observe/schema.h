/*
 * Checks a JSON text against one of docs/schemas (JSON Schema 2020-12), as far as those use it:
 * type, properties, required, additionalProperties: false, items, enum, const, pattern, minimum,
 * maximum; and x-order: the keys stand in this order and the schema describes them in it. Called by
 * the unit tests of observe and admin.
 */
#ifndef SO_TESTS_SCHEMA_H
#define SO_TESTS_SCHEMA_H

/* `name` "stats" is docs/schemas/stats.schema.json. Fails the test with the place and the reason.
 */
void schema_check(const char *name, const char *json);

#endif
