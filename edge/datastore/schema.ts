import { HANDOVER_TABLE } from "../handover.ts";
import { KEPT_TABLE } from "../keeping.ts";
import { PLACED_IDENTIFIERS_TABLE } from "../key-identifiers.ts";
import { OUTBOX_TABLE } from "../outbox.ts";
import { PACES } from "../pace.ts";
import { DELETION_COLUMN } from "./deletion.ts";
import { SHREDDED_TABLE } from "./erase.ts";
import { LISTED_COLUMNS } from "./listed.ts";
import { SET_QUOTA_TABLE } from "./set-quota.ts";
import { SHARES_TABLES } from "./shares.ts";

/** Tables of the datastore's objects. Migrations are only ever appended to. */
const DOCUMENTS: readonly string[] = [
  `
  -- pending: being uploaded; completing: the parts are being joined; complete: listed; deleted: R2 has still to forget it.
  CREATE TABLE documents (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    -- The app (OAuth client) that sealed it: for other apps it does not exist (M13).
    client TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'completing', 'complete', 'deleted')),
    -- R2's identifier of the multipart upload, once it is open.
    upload TEXT,
    size INTEGER NOT NULL DEFAULT 0,
    metadata INTEGER NOT NULL DEFAULT 0,
    -- Writes to R2 under way that would bring an object into being: a deletion does not forget the row before they end.
    writing INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    -- When anything last happened to it: what is not complete is swept some time after.
    touched INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX documents_by_account ON documents (account, client, state, created DESC, id DESC);
  CREATE INDEX documents_to_sweep ON documents (state, touched);

  -- Parts that R2 has taken, kept until the document is complete.
  CREATE TABLE parts (
    document TEXT NOT NULL,
    part INTEGER NOT NULL,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (document, part)
  ) STRICT, WITHOUT ROWID;
  `,
  // docs/decisions/0012: the page of `coffer start` was an app of its own on each port, and is one now.
  "UPDATE documents SET client = 'page' WHERE client GLOB 'http://app.coffer.localhost:[0-9]*'",
  `
  -- SHA-256 of the completion as it was asked for, and R2's ETag: a repetition is answered as the first time, another one refused.
  ALTER TABLE documents ADD COLUMN completion TEXT;
  ALTER TABLE documents ADD COLUMN etag TEXT;
  `,
  // What an account has, for its quota.
  "CREATE INDEX documents_usage ON documents (account, state, size, metadata)",
  `
  -- Room that is taken before the bytes are stored: the most that may lie in the bucket under this part's number, or as the
  -- document's metadata. writes: who has taken room for the part, and of whom it is not certain what became of it.
  ALTER TABLE parts ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE parts ADD COLUMN writes INTEGER NOT NULL DEFAULT 0;
  UPDATE parts SET held = size;
  ALTER TABLE documents ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
  UPDATE documents SET held = metadata;
  DROP INDEX documents_usage;
  CREATE INDEX documents_usage ON documents (account, state, size, held);
  `,
  `
  -- What each account has or has taken room for, kept by the triggers below: a quota is asked at each part of an upload. A
  -- document that is not deleted counts; so do its metadata, and its parts or, once it is complete, its content.
  CREATE TABLE usage (
    account TEXT PRIMARY KEY,
    documents INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE VIEW counted AS
    SELECT id, account, state != 'deleted' AS counts, CASE state
      WHEN 'deleted' THEN 0
      WHEN 'complete' THEN held + size
      ELSE held + (SELECT ifnull(sum(held), 0) FROM parts WHERE document = id)
    END AS takes FROM documents;
  INSERT INTO usage SELECT account, sum(counts), sum(takes) FROM counted GROUP BY account;
  DROP INDEX documents_usage;

  CREATE TRIGGER usage_document_inserted AFTER INSERT ON documents BEGIN
    INSERT OR IGNORE INTO usage (account) VALUES (NEW.account);
    UPDATE usage SET documents = documents + c.counts, bytes = bytes + c.takes
      FROM (SELECT * FROM counted WHERE id = NEW.id) AS c WHERE usage.account = NEW.account;
  END;
  CREATE TRIGGER usage_document_updating BEFORE UPDATE OF state, size, held ON documents BEGIN
    UPDATE usage SET documents = documents - c.counts, bytes = bytes - c.takes
      FROM (SELECT * FROM counted WHERE id = OLD.id) AS c WHERE usage.account = OLD.account;
  END;
  CREATE TRIGGER usage_document_updated AFTER UPDATE OF state, size, held ON documents BEGIN
    UPDATE usage SET documents = documents + c.counts, bytes = bytes + c.takes
      FROM (SELECT * FROM counted WHERE id = NEW.id) AS c WHERE usage.account = NEW.account;
  END;
  CREATE TRIGGER usage_document_deleting BEFORE DELETE ON documents BEGIN
    UPDATE usage SET documents = documents - c.counts, bytes = bytes - c.takes
      FROM (SELECT * FROM counted WHERE id = OLD.id) AS c WHERE usage.account = OLD.account;
  END;
  CREATE TRIGGER usage_part_inserted AFTER INSERT ON parts BEGIN
    UPDATE usage SET bytes = bytes + NEW.held WHERE account =
      (SELECT account FROM documents WHERE id = NEW.document AND state IN ('pending', 'completing'));
  END;
  CREATE TRIGGER usage_part_updated AFTER UPDATE OF held ON parts BEGIN
    UPDATE usage SET bytes = bytes - OLD.held + NEW.held WHERE account =
      (SELECT account FROM documents WHERE id = NEW.document AND state IN ('pending', 'completing'));
  END;
  CREATE TRIGGER usage_part_deleted AFTER DELETE ON parts BEGIN
    UPDATE usage SET bytes = bytes - OLD.held WHERE account =
      (SELECT account FROM documents WHERE id = OLD.document AND state IN ('pending', 'completing'));
  END;
  `,
];

/** Of an account's object. */
export const MIGRATIONS: readonly string[] = [
  ...DOCUMENTS,
  HANDOVER_TABLE,
  SHREDDED_TABLE,
  KEPT_TABLE,
  PLACED_IDENTIFIERS_TABLE,
  LISTED_COLUMNS,
  SET_QUOTA_TABLE,
  `${OUTBOX_TABLE}${SHARES_TABLES}`,
  DELETION_COLUMN,
  PACES,
];

/** Of the object that has documents of a whole tenant from earlier releases. */
export const TENANT_MIGRATIONS: readonly string[] = [
  ...DOCUMENTS,
  `
  -- Accounts whose documents their own object has begun to take: here they are not touched any more.
  CREATE TABLE moved (account TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE INDEX documents_by_owner ON documents (account, id);
  `,
];
