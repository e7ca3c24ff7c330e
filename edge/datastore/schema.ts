/** Tables of the datastore's object, one object a tenant. Migrations are only ever appended to. */
export const MIGRATIONS: readonly string[] = [
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
];
