import { DurableObject } from "cloudflare:workers";
import { decodeHex } from "#protocol/bytes.ts";
import { CLOCK_TOLERANCE, seconds } from "#protocol/clock.ts";
import { readRevocationList } from "#protocol/contract/index.ts";
import { INSTANCES_CA } from "#protocol/hierarchy/index.ts";
import {
  parseCertificate,
  type Reason,
  type RevokedCertificate,
  revocationListToSign,
  signedRevocationList,
} from "#protocol/pki/index.ts";
import { signatureToDer } from "#protocol/pki/signature.ts";
import { authorize } from "../authorize.ts";
import { configuredBound } from "../bound.ts";
import { failureOf, type Hsm, openHsm } from "../hsm/index.ts";
import { ok, type Result, refuse } from "../result.ts";
import { openStore, type Store } from "../store.ts";
import { tenantNamed } from "../tenants.ts";
import type { Revocation } from "./revocations.ts";
import type { Published } from "./types.ts";
import { x509 } from "./x509.ts";

/** From one list to the end of its validity, seconds, unless it is configured. A new one is made after half of it, or at once when there is more to say. */
const LIST_SECONDS = 24 * 3600;

/** Serial numbers are unique to the authority. Times: seconds since 1970. */
const MIGRATIONS: readonly string[] = [
  `
  -- Revoked certificates, or such as will be at a time; expires: the end of their validity.
  CREATE TABLE revoked (
    serial TEXT PRIMARY KEY, at INTEGER NOT NULL, reason INTEGER NOT NULL, expires INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX revoked_by_time ON revoked (at);
  -- The last list; stale: 1 where more is revoked by now.
  CREATE TABLE published (
    only INTEGER PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL, this_update INTEGER NOT NULL, next_update INTEGER NOT NULL,
    stale INTEGER NOT NULL, der BLOB NOT NULL
  ) STRICT;
  `,
];

type Row = { number: number; this_update: number; next_update: number; stale: number; der: ArrayBuffer };

/**
 * The certificates of one tenant's instances that are revoked, for others than the KMS: a list that the authority's key signs in the HSM (RFC 5280 §5). Each
 * principal's object tells of its own.
 */
export class RaRevocationsObject extends DurableObject<Env> {
  readonly #store: Store;
  readonly #hsm: Hsm;
  readonly #life: number;
  #publishing: Promise<Result<Published>> | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = openStore(ctx, { domain: "ra", audit: env.AUDIT_RA, migrations: MIGRATIONS });
    this.#hsm = openHsm(env.HSM_RA, env.COFFER_HSM_URL_RA || env.COFFER_HSM_URL);
    this.#life = configuredBound(
      "COFFER_REVOCATION_LIST_SECONDS",
      env.COFFER_REVOCATION_LIST_SECONDS,
      LIST_SECONDS,
    );
  }

  /** Takes note of certificates that are revoked. It may be told again: the earlier time and its reason count. */
  revoked(revocations: Revocation[]): Result<null> {
    const { sql } = this.#store;
    this.#store.transaction(() => {
      for (const { serials, at, reason, expires } of revocations)
        for (const serial of serials)
          sql.exec(
            `INSERT INTO revoked VALUES (?, ?, ?, ?) ON CONFLICT (serial) DO UPDATE
             SET at = excluded.at, reason = excluded.reason WHERE excluded.at < at`,
            ...[serial, at, reason, expires],
          );
      sql.exec("UPDATE published SET stale = 1");
    });
    return ok(null);
  }

  /** The list that is good now; a new one where more is revoked than the last one says, or half of its life is over. */
  async published(): Promise<Result<Published>> {
    const now = seconds(Date.now());
    const last = this.#last();
    if (last && !this.#lacks(last, now) && now < last.this_update + (last.next_update - last.this_update) / 2)
      return ok(publishedOf(last));
    // Who asks meanwhile gets the one that is being made, unless something is revoked that it does not say yet.
    const made = await (this.#publishing ?? this.#publish());
    const after = this.#last();
    if (made.ok && after && this.#lacks(after, now)) return this.#publish();
    if (made.ok) return made;
    // The HSM is away: the last one counts as long as it says all.
    return last && !this.#lacks(last, now) && now < last.next_update ? ok(publishedOf(last)) : made;
  }

  #publish(): Promise<Result<Published>> {
    const publishing = this.#sign().finally(() => {
      if (this.#publishing === publishing) this.#publishing = undefined;
    });
    this.#publishing = publishing;
    return publishing;
  }

  async #sign(): Promise<Result<Published>> {
    const { sql, tenant } = this.#store;
    const action = "ra:revocation-list";
    const about = { action, caller: null, requestId: crypto.randomUUID() };
    try {
      const ca = new x509.X509Certificate(await this.#hsm.certificate(INSTANCES_CA.certificate));
      const { keyId } = await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey, false, crypto);
      const now = seconds(Date.now());
      const last = this.#last();
      // One that has expired leaves once a list of after its end has named it (RFC 5280 §3.3).
      if (last) sql.exec("DELETE FROM revoked WHERE expires < ?", last.this_update - CLOCK_TOLERANCE);
      sql.exec("UPDATE published SET stale = 0");
      const rows = sql.exec<{ serial: string; at: number; reason: Reason }>(
        "SELECT serial, at, reason FROM revoked WHERE at <= ? ORDER BY at, serial",
        now,
      );
      const revoked: RevokedCertificate[] = rows.toArray();
      const [number, nextUpdate] = [(last?.number ?? 0) + 1, now + this.#life];
      const toSign = revocationListToSign({
        issuer: parseCertificate(new Uint8Array(ca.rawData)).subject,
        keyIdentifier: decodeHex(keyId ?? ""),
        ...{ number, thisUpdate: now, nextUpdate, revoked },
        distributionPoint: distributionPoint(tenantNamed(this.env, tenant)),
      });
      const der = signedRevocationList(
        toSign,
        signatureToDer(await this.#hsm.sign(INSTANCES_CA.key, toSign)),
      );
      return authorize(this.#store, { ...about, resource: `list/${number}` }, () => {
        const stale = sql.exec<{ stale: number }>("SELECT stale FROM published").toArray()[0]?.stale ?? 0;
        sql.exec("DELETE FROM published");
        sql.exec(
          "INSERT INTO published VALUES (1, ?, ?, ?, ?, ?)",
          ...[number, now, nextUpdate, stale, der.buffer],
        );
        return ok({ der: new Uint8Array(der), number, thisUpdate: now, nextUpdate });
      });
    } catch (error) {
      sql.exec("UPDATE published SET stale = 1");
      const { code, reason } = failureOf(error);
      return authorize<never>(this.#store, { ...about, resource: "list" }, () => refuse(code, reason));
    }
  }

  #last(): Row | undefined {
    return this.#store.sql.exec<Row>("SELECT * FROM published").toArray()[0];
  }

  /** Whether something is revoked that this list does not say: told since, or due since. */
  #lacks(list: Row, now: number): boolean {
    if (list.stale === 1) return true;
    const due = "SELECT 1 FROM revoked WHERE at > ? AND at <= ? LIMIT 1";
    return this.#store.sql.exec(due, list.this_update, now).toArray().length === 1;
  }

  override async alarm(): Promise<void> {
    await this.#store.flush();
  }
}

/** What a tenant's certificates name: where their list is. */
export function distributionPoint({ vault }: { vault: string }): string {
  return `${vault}${readRevocationList.path}`;
}

function publishedOf({ der, number, this_update: thisUpdate, next_update: nextUpdate }: Row): Published {
  return { der: new Uint8Array(der), number, thisUpdate, nextUpdate };
}
