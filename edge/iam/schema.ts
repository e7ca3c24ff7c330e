import { LEDGER_TABLE } from "../hsm/keys/index.ts";
import { KEY_IDENTIFIERS_TABLE } from "../key-identifiers.ts";
import { OUTBOX_TABLE } from "../outbox.ts";
import { PACES } from "../pace.ts";
import { DIGESTS_TABLE, PLACES_TABLE } from "./kept-keys.ts";
import { MEMBER_ROLES } from "./members.ts";
import { NAMED_INSTANCES_TABLE } from "./named-instances.ts";
import { OWN_REGISTRATION_TABLE } from "./own-registration.ts";
import { IDENTIFIERS_PLACE_TABLE } from "./placed-identifiers.ts";
import { REGISTERED_CLIENTS_TABLE, REMOVED_CLIENTS_TABLE } from "./registered-clients.ts";
import { ROLES_TABLES } from "./roles.ts";
import { SETTINGS_TABLE } from "./settings.ts";
import { STANDING_TABLE } from "./standing.ts";
import { USED_ONCE_TABLE } from "./used-once.ts";

/**
 * Tables of the IAM's objects. Times are seconds since 1970. What a bearer could use (cookie, code, refresh token) is kept as
 * its SHA-256 only. Appended to, never changed: see `openStore`.
 */

/** A user's object: all that is issued to one person, by whichever app. `user` is that person in each of its rows. */
export const principalMigrations = [
  `
  -- Who it is, and the name signed in with.
  CREATE TABLE principal (id TEXT PRIMARY KEY, name TEXT NOT NULL, created INTEGER NOT NULL) STRICT;

  -- A copy, to be told to the user's apps. Who is a member is said by the account's object alone.
  CREATE TABLE memberships (account TEXT PRIMARY KEY, name TEXT NOT NULL, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  -- Signed in on the vault's origin. By its id the vault's scripts tell one session of a browser from the next; it opens nothing.
  CREATE TABLE sessions (hash TEXT PRIMARY KEY, user TEXT NOT NULL, expires INTEGER NOT NULL, id TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- OAuth authorization codes; family is the one that the code was exchanged into.
  CREATE TABLE codes (
    hash TEXT PRIMARY KEY, user TEXT NOT NULL, session TEXT NOT NULL, client TEXT NOT NULL, redirect_uri TEXT NOT NULL,
    challenge TEXT NOT NULL, jkt TEXT NOT NULL, expires INTEGER NOT NULL, used INTEGER, family TEXT
  ) STRICT, WITHOUT ROWID;

  -- All refresh tokens that descend from one code; revoked together.
  CREATE TABLE families (
    id TEXT PRIMARY KEY, user TEXT NOT NULL, session TEXT NOT NULL, client TEXT NOT NULL, jkt TEXT NOT NULL,
    expires INTEGER NOT NULL, revoked INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE refresh_tokens (hash TEXT PRIMARY KEY, family TEXT NOT NULL, used INTEGER) STRICT, WITHOUT ROWID;
  CREATE INDEX refresh_tokens_of ON refresh_tokens (family);

  -- HMAC key that makes the refresh token that follows another.
  CREATE TABLE successor_key (only INTEGER PRIMARY KEY CHECK (only = 1), key BLOB NOT NULL) STRICT;

  -- DPoP proofs seen at the token endpoint (RFC 9449 §11.1).
  CREATE TABLE proofs (jti TEXT PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  -- M5: registered custodians, one for each sign-in's DPoP key.
  CREATE TABLE custodians (
    jkt TEXT PRIMARY KEY, family TEXT NOT NULL, user TEXT NOT NULL, client TEXT NOT NULL, dn TEXT NOT NULL,
    origin TEXT NOT NULL, certificate BLOB NOT NULL, not_after INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  ${PACES}
  ${OUTBOX_TABLE}
  `,
  SETTINGS_TABLE,
  `
  -- Transactions with the tenant's identity provider by which this principal has signed in: each is good once.
  CREATE TABLE used_sign_ins (id TEXT PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  STANDING_TABLE,
  NAMED_INSTANCES_TABLE,
  USED_ONCE_TABLE,
  // Memberships in the order in which they came; those of earlier releases are all first, by the age of the account.
  "ALTER TABLE memberships ADD COLUMN place INTEGER NOT NULL DEFAULT 0",
  OWN_REGISTRATION_TABLE,
] as const;

/** An account's object. */
export const accountMigrations = [
  `
  CREATE TABLE account (id TEXT PRIMARY KEY, name TEXT NOT NULL, created INTEGER NOT NULL, deleted INTEGER) STRICT;

  -- Who may act for it.
  CREATE TABLE members (user TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

  -- W11: Enc(account key) under the tenant's master key, and the key identifier (KI) by which it is asked for.
  CREATE TABLE account_keys (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL UNIQUE, wrapped BLOB NOT NULL, master TEXT NOT NULL, created INTEGER NOT NULL
  ) STRICT;

  -- Account keys that are being made at the HSM.
  ${LEDGER_TABLE}
  ${OUTBOX_TABLE}
  `,
  `${KEY_IDENTIFIERS_TABLE}${PACES}`,
  // W1: of an RSA pair its public half (SubjectPublicKeyInfo, DER); the private one is in `wrapped`.
  "ALTER TABLE account_keys ADD COLUMN public_key BLOB",
  // Accounts of earlier releases come onto the list that a rotation goes through.
  `INSERT INTO outbox (addressee, message)
     SELECT 'listed', json_object('listed', id) FROM account WHERE deleted IS NULL;`,
  // Deletions that are scheduled: when they are due.
  "ALTER TABLE account ADD COLUMN ends INTEGER; ALTER TABLE key_identifiers ADD COLUMN ends INTEGER;",
  PLACES_TABLE,
  MEMBER_ROLES,
  IDENTIFIERS_PLACE_TABLE,
  DIGESTS_TABLE,
] as const;

/** The tenant's own object, which once held all of the above. */
export const tenantMigrations = [
  `
  CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created INTEGER NOT NULL) STRICT;
  CREATE TABLE accounts (id TEXT PRIMARY KEY, name TEXT NOT NULL, created INTEGER NOT NULL, deleted INTEGER) STRICT;
  CREATE TABLE members (user TEXT NOT NULL, account TEXT NOT NULL, PRIMARY KEY (user, account)) STRICT, WITHOUT ROWID;

  -- W11: Enc(account key) under the tenant's master key, and the key identifier (KI) by which it is asked for.
  CREATE TABLE account_keys (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, version INTEGER NOT NULL, wrapped BLOB NOT NULL, master TEXT NOT NULL,
    created INTEGER NOT NULL, UNIQUE (account, version)
  ) STRICT;

  -- Signed in on the vault's origin.
  CREATE TABLE sessions (hash TEXT PRIMARY KEY, user TEXT NOT NULL, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  -- OAuth authorization codes; family is the one that the code was exchanged into.
  CREATE TABLE codes (
    hash TEXT PRIMARY KEY, user TEXT NOT NULL, session TEXT NOT NULL, client TEXT NOT NULL, redirect_uri TEXT NOT NULL,
    challenge TEXT NOT NULL, jkt TEXT NOT NULL, expires INTEGER NOT NULL, used INTEGER, family TEXT
  ) STRICT, WITHOUT ROWID;

  -- All refresh tokens that descend from one code; revoked together.
  CREATE TABLE families (
    id TEXT PRIMARY KEY, user TEXT NOT NULL, session TEXT NOT NULL, client TEXT NOT NULL, jkt TEXT NOT NULL,
    expires INTEGER NOT NULL, revoked INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE refresh_tokens (hash TEXT PRIMARY KEY, family TEXT NOT NULL, used INTEGER) STRICT, WITHOUT ROWID;
  CREATE INDEX refresh_tokens_of ON refresh_tokens (family);

  -- DPoP proofs seen at the token endpoint (RFC 9449 §11.1).
  CREATE TABLE proofs (jti TEXT PRIMARY KEY, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;

  -- M5: registered custodians, one for each sign-in's DPoP key.
  CREATE TABLE custodians (
    jkt TEXT PRIMARY KEY, family TEXT NOT NULL, user TEXT NOT NULL, client TEXT NOT NULL, dn TEXT NOT NULL,
    origin TEXT NOT NULL, certificate BLOB NOT NULL, not_after INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- DPoP keys whose sign-in has ended, until the registration authority knows.
  CREATE TABLE ended (jkt TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  `,
  `
  -- By which the vault's scripts tell one session of a browser from the next. It opens nothing.
  ALTER TABLE sessions ADD COLUMN id TEXT NOT NULL DEFAULT '';
  UPDATE sessions SET id = lower(hex(randomblob(16)));

  -- What was issued in a session ends with it.
  UPDATE families SET expires = min(expires,
    coalesce((SELECT s.expires FROM sessions s WHERE s.hash = families.session), 0));
  UPDATE custodians SET not_after = min(not_after,
    coalesce((SELECT f.expires FROM families f WHERE f.id = custodians.family), 0));

  -- HMAC key of the tickets that come with the forms of the vault's pages.
  CREATE TABLE ticket_key (only INTEGER PRIMARY KEY CHECK (only = 1), key BLOB NOT NULL) STRICT;
  `,
  `
  -- HMAC key that makes the refresh token that follows another.
  CREATE TABLE successor_key (only INTEGER PRIMARY KEY CHECK (only = 1), key BLOB NOT NULL) STRICT;
  ${PACES}
  `,
  // Account keys that are being made at the HSM.
  LEDGER_TABLE,
  // What had ended and was not told yet waits in the outbox.
  `${OUTBOX_TABLE}
  INSERT INTO outbox (addressee, message)
    SELECT 'ra/' || coalesce((SELECT user FROM families f WHERE f.jkt = ended.jkt), ''), json_object('jkt', jkt) FROM ended;
  DROP TABLE ended;
  `,
  // Users and accounts have objects of their own. Sign-ins are not handed over: people sign in again. Their instances end at
  // the registration authority by a migration of its own, so that nothing waits to be told.
  `
  DROP TABLE sessions;
  DROP TABLE codes;
  DROP TABLE families;
  DROP TABLE refresh_tokens;
  DROP TABLE successor_key;
  DROP TABLE proofs;
  DROP TABLE custodians;
  DROP TABLE outbox;
  `,
  SETTINGS_TABLE,
  `${ROLES_TABLES}${OUTBOX_TABLE}`,
  USED_ONCE_TABLE,
  REGISTERED_CLIENTS_TABLE,
  // They come onto the list that a rotation goes through, though nobody has used them since.
  `INSERT INTO outbox (addressee, message)
     SELECT 'listed', json_object('listed', id) FROM accounts WHERE deleted IS NULL;`,
  REMOVED_CLIENTS_TABLE,
] as const;
