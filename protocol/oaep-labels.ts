/**
 * Labels of RSA-OAEP (RFC 8017 §7.1) under a master key that is a pair: no key of one kind opens as one of another. An account key has
 * none, nor has what is encrypted to an instance.
 */

/** Of a tenant's own data key. */
export const DATA_LABEL = "coffer-data-key-v1";
/** Of the content-encryption key that the private half of an account's pair is under. */
export const CEK_LABEL = "coffer-content-encryption-key-v1";
