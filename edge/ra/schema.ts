import { LEDGER_TABLE } from "../hsm/keys/index.ts";
import { OUTBOX_TABLE } from "../outbox.ts";
import { PACES } from "../pace.ts";
import { PASSKEY_ORIGINS, PASSKEYS } from "./passkeys.ts";
import { LISTS, REVOCATIONS } from "./revocations.ts";

/** Tables of the RA's objects: one a principal, and one a tenant with what an earlier release kept. Migrations are only ever appended to. Times: seconds since 1970. */
export const MIGRATIONS: readonly string[] = [
  `
  -- M3 grants. Only the SHA-256 of the credential is kept; a row lives until it expires.
  CREATE TABLE grants (
    hash BLOB PRIMARY KEY,
    user TEXT NOT NULL,
    custodian TEXT NOT NULL,
    client TEXT NOT NULL,
    jkt TEXT NOT NULL,
    origin TEXT NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER
  ) STRICT, WITHOUT ROWID;

  -- Enrolment sessions: the nonce binds a certificate request to this ceremony.
  CREATE TABLE enrolments (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    nonce BLOB NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER
  ) STRICT, WITHOUT ROWID;

  -- Every instance that was ever enrolled, until some time after its certificates ended.
  CREATE TABLE instances (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    custodian TEXT NOT NULL,
    client TEXT NOT NULL,
    jkt TEXT NOT NULL,
    origin TEXT NOT NULL,
    method TEXT NOT NULL,
    tier TEXT NOT NULL,
    -- RFC 7638 thumbprint of the identity key; base64url SHA-256 of the two certificates.
    identity_key TEXT NOT NULL,
    identity_certificate TEXT NOT NULL UNIQUE,
    wrapping_certificate TEXT NOT NULL UNIQUE,
    hsm_key TEXT NOT NULL,
    enrolled INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'revoked')),
    -- 1 once the HSM has revoked and destroyed the recipient.
    hsm_gone INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX instances_by_user ON instances (user);
  CREATE INDEX instances_to_retire ON instances (hsm_gone, not_after);

  -- Enrolments that are registering a recipient at the HSM. A row that stays is of one that was cut off: the alarm
  -- removes what it left there.
  CREATE TABLE registrations (
    instance TEXT PRIMARY KEY,
    started INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- When a key was last released to it: the idlest gives its place to one too many.
  ALTER TABLE instances ADD COLUMN used INTEGER;
  `,
  PACES,
  // One ledger for every domain: registrations that are under way are in it by the id of the instance.
  `${LEDGER_TABLE}
  INSERT INTO hsm_batches SELECT instance, 2, started * 1000 FROM registrations;
  DROP TABLE registrations;
  `,
  // The sign-ins of earlier releases have ended: so do their instances, and nothing of an enrolment under way is good any more.
  `
  UPDATE instances SET status = 'revoked';
  DELETE FROM grants;
  DELETE FROM enrolments;
  `,
  // Grants that somebody presented for whom they are not, until the object of the one for whom they are has heard of it.
  OUTBOX_TABLE,
  // The release level that its wrapping certificate names; those of before have the lowest.
  "ALTER TABLE instances ADD COLUMN level TEXT NOT NULL DEFAULT 'data'",
  `
  -- M2 secret zeros, by the number in the token. Of the token the SHA-256 is kept; a row lives until it expires.
  CREATE TABLE secret_zeros (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL,
    user TEXT NOT NULL,
    custodian TEXT NOT NULL,
    client TEXT NOT NULL,
    jkt TEXT NOT NULL,
    origin TEXT NOT NULL,
    -- RFC 7638 thumbprint of the identity key that may present it; null for any.
    identity_key TEXT,
    expires INTEGER NOT NULL,
    used INTEGER
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- M1: enrolment sessions (by id) that a deployer opened for an instance that shows evidence, and for whom.
  CREATE TABLE attestations (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    custodian TEXT NOT NULL,
    client TEXT NOT NULL,
    jkt TEXT NOT NULL,
    origin TEXT NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- The first instance of this one's renewals; when it was renewed; when it has shown evidence (M1), null where it has not. Serial
  -- numbers of its two certificates, hexadecimal, with a comma between; empty for those of an earlier release.
  ALTER TABLE instances ADD COLUMN line TEXT NOT NULL DEFAULT '';
  ALTER TABLE instances ADD COLUMN renewed INTEGER;
  ALTER TABLE instances ADD COLUMN attested INTEGER;
  ALTER TABLE instances ADD COLUMN serials TEXT NOT NULL DEFAULT '';
  UPDATE instances SET line = id;
  UPDATE instances SET attested = enrolled WHERE method = 'attestation';
  CREATE INDEX instances_by_line ON instances (line);
  `,
  REVOCATIONS,
  `
  -- What the renewal of an instance was answered with, and the instance that it made: asked again, it is answered so again.
  CREATE TABLE renewals (
    instance TEXT PRIMARY KEY,
    next TEXT NOT NULL,
    answer TEXT NOT NULL,
    expires INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Of a hybrid recipient: unique identifier of its ML-KEM key at the HSM, and base64url SHA-256 of its two certificates (X25519,
  -- ML-KEM-768) with a comma between; null of an instance that is none.
  ALTER TABLE instances ADD COLUMN hybrid_key TEXT;
  ALTER TABLE instances ADD COLUMN hybrid_certificates TEXT;
  `,
  // How many of a user have not expired is counted at each enrolment.
  "CREATE INDEX instances_by_certified ON instances (user, certified)",
  // JSON of the measurement registers that attestation verified, by number; null where none were, and of an earlier release's instances.
  "ALTER TABLE instances ADD COLUMN registers TEXT",
  PASSKEYS,
  PASSKEY_ORIGINS,
  LISTS,
];
