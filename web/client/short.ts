/** Bytes up to which a document goes up in one request: what the datastore takes of ciphertext, less what sealing adds. */
export const SHORT_BYTES = 192 << 10;
