#include "io/secret.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

bool secret_hash(const char *salt, const char *text, size_t length,
	unsigned char ret_hash[SECRET_HASH_BYTES])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool is_fine = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
		       EVP_DigestUpdate(context, salt, strlen(salt)) == 1 &&
		       EVP_DigestUpdate(context, text, length) == 1 &&
		       EVP_DigestFinal_ex(context, ret_hash, NULL) == 1;

	/* wipes the block that holds the text's end */
	EVP_MD_CTX_free(context);
	return is_fine;
}

bool secret_is_same(
	const unsigned char left[SECRET_HASH_BYTES], const unsigned char right[SECRET_HASH_BYTES])
{
	return CRYPTO_memcmp(left, right, SECRET_HASH_BYTES) == 0;
}
