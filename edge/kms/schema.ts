import { HANDOVER_TABLE } from "../handover.ts";
import { LEDGER_TABLE } from "../hsm/keys/index.ts";
import { PLACED_IDENTIFIERS_TABLE } from "../key-identifiers.ts";
import { PACES } from "../pace.ts";
import { ACCOUNT_DATA_KEYS_TABLE, MADE_COLUMN } from "./account-data-keys.ts";
import { APP_KEYS_TABLE } from "./app-key.ts";
import { DOCUMENT_SERIES_TABLE } from "./document-series.ts";
import { DOCUMENT_VERSIONS_TABLES } from "./document-versions.ts";
import { MASTER_NAMES, MASTERS_CEK_COLUMN, MASTERS_TABLE } from "./encrypted-master.ts";
import { DISABLED_BY, KEY_MANAGEMENT_TABLE } from "./key-management.ts";
import { LOAD_GRANTS_TABLE } from "./loading/grants.ts";
import { SEED_CHANNELS_TABLE } from "./loading/seed-channels.ts";
import { METADATA_KEYS_TABLE } from "./metadata-key.ts";
import { RESIDENT_KEYS_TABLE } from "./resident-keys.ts";
import { RETAINED_KEYS_TABLE } from "./retained-keys.ts";
import { SHARES_TABLE } from "./shares.ts";
import { SHREDDED_TABLE } from "./shred.ts";
import { STORED_POLICY_TABLE } from "./stored-policy.ts";

/** Tables of the KMS's objects. Migrations are only ever appended to. Times: seconds since 1970. */
const DATA_KEYS: readonly string[] = [
  `
  -- Metadata of every data key that was issued. The key itself is in the EDK that the custodian keeps, nowhere here.
  CREATE TABLE data_keys (
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    account TEXT NOT NULL,
    -- The app (OAuth client) that had it made: no other app has it rewrapped (M13).
    client TEXT NOT NULL,
    owner TEXT NOT NULL,
    purpose TEXT NOT NULL,
    account_key TEXT NOT NULL,
    account_key_version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    state TEXT NOT NULL CHECK (state IN ('enabled', 'disabled')),
    -- JSON of a KeyPolicy (protocol/policy): the current one, which the policy in the EDK can only narrow.
    policy TEXT NOT NULL,
    PRIMARY KEY (id, version)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX data_keys_by_account ON data_keys (account, created);

  -- Batches under way at the HSM; what one makes there is named <id>/0, <id>/1, … A row that stays is swept by alarm.
  CREATE TABLE hsm_batches (
    id TEXT PRIMARY KEY,
    objects INTEGER NOT NULL,
    started INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  // docs/decisions/0012: the page of `coffer start` was an app of its own on each port, and is one now.
  "UPDATE data_keys SET client = 'page' WHERE client GLOB 'http://app.coffer.localhost:[0-9]*'",
];

/** Of an account's object. */
export const MIGRATIONS: readonly string[] = [
  ...DATA_KEYS,
  HANDOVER_TABLE,
  SHREDDED_TABLE,
  ACCOUNT_DATA_KEYS_TABLE,
  MADE_COLUMN,
  // When a version is deleted, if that is scheduled; until then it is given to nobody.
  "ALTER TABLE account_data_keys ADD COLUMN ends INTEGER;",
  KEY_MANAGEMENT_TABLE,
  LOAD_GRANTS_TABLE,
  RETAINED_KEYS_TABLE,
  PLACED_IDENTIFIERS_TABLE,
  PACES,
  // The state in data_keys from before that was scheduled, for when the version is kept after all.
  "ALTER TABLE account_data_keys ADD COLUMN state_before TEXT;",
  METADATA_KEYS_TABLE,
  SEED_CHANNELS_TABLE,
  RESIDENT_KEYS_TABLE,
  DOCUMENT_VERSIONS_TABLES,
  SHARES_TABLE,
  DOCUMENT_SERIES_TABLE,
];

/** The tenant's own data keys, in the object of the principal for whom they were made. */
const OWN_DATA_KEYS = `
  -- As in an account's object; account is '', and account_key the master key that wraps them, whose version is 0.
  CREATE TABLE data_keys (
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    account TEXT NOT NULL,
    client TEXT NOT NULL,
    owner TEXT NOT NULL,
    purpose TEXT NOT NULL,
    account_key TEXT NOT NULL,
    account_key_version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    state TEXT NOT NULL CHECK (state IN ('enabled', 'disabled')),
    policy TEXT NOT NULL,
    PRIMARY KEY (id, version)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX data_keys_by_account ON data_keys (account, created);
`;

/** Of a principal's object. */
export const PRINCIPAL_MIGRATIONS: readonly string[] = [
  `${LEDGER_TABLE}${MASTERS_TABLE}`,
  OWN_DATA_KEYS,
  KEY_MANAGEMENT_TABLE,
  LOAD_GRANTS_TABLE,
  MASTERS_CEK_COLUMN,
  MASTER_NAMES,
  SEED_CHANNELS_TABLE,
  APP_KEYS_TABLE,
  `${RETAINED_KEYS_TABLE}${PACES}`,
  // The admin by whose decision it ends: then who has ordered it cannot call that off.
  "ALTER TABLE key_management ADD COLUMN ended_by TEXT;",
  DISABLED_BY,
];

/** Of a tenant's own object: data keys from earlier releases, and the policy. */
export const TENANT_MIGRATIONS: readonly string[] = [...DATA_KEYS, STORED_POLICY_TABLE, PACES];
