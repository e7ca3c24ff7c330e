/**
 * edge/kms/cache: Enc(data) and Enc(master) in the memory of the KMS's objects (W3, W8). May import: nothing. Imported by
 * the KMS's objects.
 */
export { type Counts, type Kept, KeyCache, type Times } from "./cache.ts";
