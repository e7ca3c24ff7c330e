/**
 * Where the IAM has Enc(account) (W15), as a deployment says by a variable; what would bring two neighbours of the hierarchy into one place
 * is refused.
 */

import { readIamHost } from "./iam-host.ts";

/** The account's own object, the datastore, or a store that has nothing else. */
export type AccountKeyPlace = "iam" | "datastore" | "store";

export type PlacesConfiguration = {
  COFFER_ACCOUNT_KEYS?: unknown;
  COFFER_KEY_IDENTIFIERS?: unknown;
  /** The unit that the IAM is a module of. */
  COFFER_IAM_IN?: unknown;
};

/** Where the table of key identifiers is: with the IAM, on the app's side, which is its datastore, or with the KMS. No key is in it. */
export type IdentifierPlace = "iam" | "app" | "kms";

const IDENTIFIER_PLACES: readonly IdentifierPlace[] = ["iam", "app", "kms"];

const ACCOUNT_KEY_PLACES: readonly AccountKeyPlace[] = ["iam", "datastore", "store"];
/** What of the hierarchy is there already, next to an account key. */
const NEIGHBOURS: Readonly<Record<string, string>> = {
  kms: "Enc(data) goes through the KMS, and no two neighbours of the hierarchy are in one place",
  hsm: "Enc(data) and the master key are in the HSM, and no two neighbours of the hierarchy are in one place",
};

/** As the variable says, `iam` where it is not set. Throws a sentence for what is no place, or would put neighbours into one. */
export function readAccountKeyPlace({
  COFFER_ACCOUNT_KEYS: value,
  COFFER_IAM_IN,
}: PlacesConfiguration): AccountKeyPlace {
  const text = value === undefined || value === "" ? "iam" : String(value);
  const found = ACCOUNT_KEY_PLACES.find((place) => place === text);
  // What the IAM stores itself is then in the KMS's worker.
  if (readIamHost(COFFER_IAM_IN) === "kms" && found !== undefined && found !== "datastore")
    throw new TypeError(
      `COFFER_ACCOUNT_KEYS is ${found}, and COFFER_IAM_IN is kms: Enc(account) has to be with the datastore then, since ${NEIGHBOURS.kms}`,
    );
  if (found !== undefined) return found;
  const why = NEIGHBOURS[text];
  throw new TypeError(
    `COFFER_ACCOUNT_KEYS is ${text.slice(0, 32)}, not ${ACCOUNT_KEY_PLACES.join(", ")}${why ? `: ${why}` : ""}`,
  );
}

/** As the variable says, `iam` where it is not set. Throws a sentence for what is no place. */
export function readIdentifierPlace({ COFFER_KEY_IDENTIFIERS: value }: PlacesConfiguration): IdentifierPlace {
  const text = value === undefined || value === "" ? "iam" : String(value);
  const found = IDENTIFIER_PLACES.find((place) => place === text);
  if (found !== undefined) return found;
  throw new TypeError(`COFFER_KEY_IDENTIFIERS is ${text.slice(0, 32)}, not ${IDENTIFIER_PLACES.join(", ")}`);
}

/** The same for a domain: the log says why it refuses everything. */
export function configuredAccountKeyPlace(configuration: PlacesConfiguration): AccountKeyPlace {
  return orTell("COFFER_ACCOUNT_KEYS", () => readAccountKeyPlace(configuration));
}

export function configuredIdentifierPlace(configuration: PlacesConfiguration): IdentifierPlace {
  return orTell("COFFER_KEY_IDENTIFIERS", () => readIdentifierPlace(configuration));
}

function orTell<T>(variable: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    console.error(JSON.stringify({ event: "configuration", variable, reason }));
    throw error;
  }
}
