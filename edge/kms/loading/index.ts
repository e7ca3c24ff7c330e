/**
 * edge/kms/loading: the ways in which a data key comes to an instance, one file a way; what all of them ask (whose key, to
 * be released to whom) is decided twice, before the HSM works and after. May import protocol/,
 * edge/hsm, edge/kms, the shared files of edge/, and types of the IAM and the RA.
 * Imported by the KMS's object. The other end is web/microservice/loading.
 */
export { rewrap } from "./rewrap.ts";
