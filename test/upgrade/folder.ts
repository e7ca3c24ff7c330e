/** Folders of `coffer start` as older code left them. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { unpackTar } from "#cli/tar.js";

const read = (file: string) => readFileSync(fileURLToPath(new URL(file, import.meta.url)));

/** Unpacks `coffer-COMMIT.tgz` as the folder `dir`. */
export function unpackFolder(commit: string, dir: string): void {
  unpackTar(gunzipSync(read(`coffer-${commit}.tgz`)), dir);
}

type Sealed = Record<string, Record<string, string>>;

/**
 * What is in the folder of 783953a, the last commit with one object a tenant and domain. Two tenants; of one user of
 * theirs a sign-in, an instance, a grant and an upload were live when it was stopped.
 */
export const ONE_OBJECT = JSON.parse(read("coffer-783953a.json").toString()) as {
  /** SHA-256 of each document, by tenant and the user who sealed it. */
  sealed: { development: Sealed; umbrella: Sealed };
  /** The audit chain of each tenant as it was exported last; rows that came later waited in outboxes. */
  chains: Record<"development" | "umbrella", { links: number; head: string; signed: string }>;
  live: {
    user: string;
    userId: string;
    account: string;
    /** The value of the vault's cookie. */
    cookie: string;
    refreshToken: string;
    /** The DPoP key that the tokens are bound to, private. */
    key: { kty: "EC"; crv: "P-256"; x: string; y: string; d: string };
    instance: { id: string; wrappingCertificate: string };
    grant: string;
    enrolment: { id: string; nonce: string };
    /** Made for `account`, and no document's. */
    edk: string;
    /** Two parts of it are in the bucket. */
    upload: string;
  };
};
