/** By whom the encrypted data keys in the header of a document are told apart: this one is an EDK. */
export const EDK_PROVIDER = "coffer";
