import { DurableObject } from "cloudflare:workers";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import type { DataKeysRequest, ExportRequest, Rewrapped, RewrapRequest } from "#protocol/contract/index.ts";
import { masterKeyName, named, WORKING } from "#protocol/hierarchy/index.ts";
import { canonicalJws, digest, type Edk, JwsError, type TrustList, verifyEdk } from "#protocol/keys/index.ts";
import { authorize } from "../authorize.ts";
import type { Caller } from "../caller.ts";
import { failureOf, fromHsm, type Hsm, openHsm } from "../hsm/index.ts";
import { type Ledger, openLedger } from "../hsm/keys/index.ts";
import type { AccountKey } from "../iam/types.ts";
import type { Recipient } from "../ra/types.ts";
import { fail, ok, type Result, refuse } from "../result.ts";
import { openStore, type Store } from "../store.ts";
import { makeDataKeys } from "./data-keys.ts";
import { DataKeyQuota } from "./quota.ts";
import { findDataKey, insertDataKeys } from "./registry.ts";
import { decideRelease } from "./release.ts";
import { rewrapDataKey } from "./rewrap.ts";
import { MIGRATIONS } from "./schema.ts";
import { readTrust, signEdks, signReceipt } from "./signing.ts";

/** What the KMS needs of its neighbours. */
interface Neighbours {
  IAM: { accountKey(of: { tenant: string; account: string; caller: Caller }): Promise<Result<AccountKey>> };
  RA: { recipient(of: { tenant: string; thumbprint: string }): Promise<Result<Recipient>> };
}

/** How long a load receipt may be used to load the key, seconds: a working day, so that an instance starts offline. */
const RECEIPT_SECONDS = 8 * 3600;
/** Between two looks for a new trust list because of an unknown key, seconds. */
const TRUST_SECONDS = 60;
/** What a new document key allows. */
const DOCUMENT_POLICY = { operations: ["encrypt", "decrypt"] } satisfies Edk["policy"];

/** State and decisions of the KMS, one object a tenant. */
export class KmsObject extends DurableObject<Env> {
  readonly #store: Store;
  readonly #hsm: Hsm;
  readonly #neighbours: Neighbours;
  readonly #ledger: Ledger;
  readonly #quota: DataKeyQuota;
  #trust: { list: TrustList; read: number } | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = openStore(ctx, { domain: "kms", audit: env.AUDIT_KMS, migrations: MIGRATIONS });
    this.#hsm = openHsm(env.HSM_KMS, env.COFFER_HSM_URL);
    this.#quota = new DataKeyQuota(env.COFFER_DATA_KEYS_PER_HOUR);
    this.#neighbours = env as unknown as Neighbours;
    this.#ledger = openLedger(ctx, this.#hsm, "kms");
  }

  /** M6: new data keys for an account, as EDKs. */
  async dataKeys(caller: Caller, request: DataKeysRequest): Promise<Result<{ edks: string[] }>> {
    const { account, count } = request;
    const about = { caller, resource: `account/${account}`, requestId: caller.requestId };
    const decision = authorize(this.#store, { action: "kms:data-keys", ...about }, (sql) =>
      caller.accounts.includes(account)
        ? this.#quota.reserve(sql, account, count, seconds())
        : refuse("forbidden", "account of others"),
    );
    if (!decision.ok) return decision;
    try {
      return await this.#makeDataKeys(caller, request, about);
    } finally {
      this.#quota.done(account, count);
    }
  }

  async #makeDataKeys(
    caller: Caller,
    { account, count, purpose }: DataKeysRequest,
    about: { caller: Caller; resource: string; requestId: string },
  ): Promise<Result<{ edks: string[] }>> {
    const accountKey = await this.#neighbours.IAM.accountKey({ tenant: caller.tenant, account, caller });
    if (!accountKey.ok) return accountKey;
    try {
      const now = Date.now();
      const wrapped = await makeDataKeys(this.#hsm, this.#ledger, accountKey.value, count, now);
      const { id, version } = accountKey.value;
      const edks = wrapped.map((key): Edk => {
        return {
          version: 1,
          keyId: crypto.randomUUID(),
          keyVersion: 1,
          algorithm: "AES-256-GCM-HKDF-SHA512-COMMIT-KEY",
          tenant: caller.tenant,
          account,
          owner: caller.user,
          created: Math.floor(now / 1000),
          purpose,
          accountKey: { id, version },
          wrapping: "A256KW",
          wrappedKey: encodeBase64url(key),
          policy: DOCUMENT_POLICY,
        };
      });
      const signed = await signEdks(this.#hsm, await this.#trusted(), edks);
      // Before they leave: an EDK without a record would be refused for ever.
      this.#store.transaction(() => insertDataKeys(this.#store.sql, caller.client, edks));
      return ok({ edks: signed });
    } catch (error) {
      return this.#failed("kms:make-data-keys", about, error);
    }
  }

  /**
   * One audit row an order, whatever it names, so that nobody buries the log. An order for one document names it; one for
   * several tells their number and the SHA-256 of their ids (sorted, a line each): anyone who has the list can show that it
   * is what was ordered. No key leaves the HSM for it.
   */
  async orderExport(caller: Caller, request: ExportRequest): Promise<Result<{ order: string }>> {
    const { account } = request;
    const documents = [...new Set(request.documents)].sort();
    const order = crypto.randomUUID();
    const { requestId } = caller;
    const named =
      documents.length === 1
        ? `document/${documents[0]}`
        : `documents/${documents.length}/${await digest(documents.map((id) => `${id}\n`).join(""))}`;
    const resource = `account/${account}/export/${order}/${named}`;
    return authorize(this.#store, { action: "kms:export", caller, resource, requestId }, () =>
      caller.accounts.includes(account) ? ok({ order }) : refuse("forbidden", "account of others"),
    );
  }

  /** M8: a data key rewrapped to the caller's instance, with the receipt that vouches for it. */
  async rewrap(caller: Caller, request: RewrapRequest): Promise<Result<Rewrapped>> {
    const { edk: token } = request;
    const unidentified = { action: "kms:rewrap", caller, resource: "edk", requestId: caller.requestId };
    const refuseNow = (code: "invalid-edk" | "invalid-certificate", reason: string) =>
      authorize<never>(this.#store, unidentified, () => refuse(code, reason));

    let edk: Edk;
    try {
      edk = await this.#verifyEdk(token);
    } catch (error) {
      if (error instanceof JwsError) return refuseNow("invalid-edk", `${error.code}: ${error.message}`);
      return this.#failed("kms:rewrap", unidentified, error);
    }
    let thumbprint: string;
    try {
      thumbprint = await digest(decodeBase64url(request.certificate));
    } catch {
      return refuseNow("invalid-certificate", "certificate is not base64url");
    }

    const about = { caller, resource: `key/${edk.keyId}.${edk.keyVersion}`, requestId: caller.requestId };
    const { tenant } = this.#store;
    const decide = async (action: string) => {
      const found = await this.#neighbours.RA.recipient({ tenant, thumbprint });
      if (!found.ok && found.problem.code !== "not-recipient") return found;
      const recipient = found.ok ? found.value : null;
      return authorize(this.#store, { action, ...about }, (sql) => {
        const record = findDataKey(sql, edk.keyId, edk.keyVersion);
        const decision = decideRelease(caller, { edk, recipient, record, now: seconds() });
        return decision.ok ? ok({ policy: decision.value, recipient: recipient! }) : decision;
      });
    };
    const decision = await decide("kms:rewrap");
    if (!decision.ok) return decision;
    const { policy, recipient } = decision.value;

    const account = await this.#neighbours.IAM.accountKey({ tenant, account: edk.account, caller });
    if (!account.ok) return account;
    if (account.value.id !== edk.accountKey.id || account.value.version !== edk.accountKey.version) {
      return authorize<never>(this.#store, { action: "kms:rewrap", ...about }, () =>
        refuse("conflict", "EDK is under another account key"),
      );
    }
    try {
      const { hsmKey, notAfter } = recipient;
      const wrappedDataKey = decodeBase64url(edk.wrappedKey);
      const wrappedKey = await rewrapDataKey(
        this.#hsm,
        this.#ledger,
        { account: account.value, wrappedDataKey, hsmKey },
        Date.now(),
      );
      const iat = seconds();
      const receipt = await signReceipt(this.#hsm, await this.#trusted(), {
        version: 1,
        wrappedKeyDigest: await digest(wrappedKey),
        edkDigest: await digest(canonicalJws(token)),
        keyId: edk.keyId,
        keyVersion: edk.keyVersion,
        recipient: thumbprint,
        tenant,
        account: edk.account,
        policy,
        iat,
        exp: Math.min(iat + RECEIPT_SECONDS, notAfter, edk.expires ?? Number.MAX_SAFE_INTEGER),
      });
      // While the HSM worked the instance may have been revoked, the user have signed out, the key been disabled: input
      // gates do not hold across its answer. What was wrapped for nothing goes no further.
      const released = await decide("kms:release");
      if (!released.ok) return released;
      return ok({ wrappedKey: encodeBase64url(wrappedKey), receipt });
    } catch (error) {
      return this.#failed("kms:rewrap-at-hsm", about, error);
    }
  }

  /** For the RA (M5): whether the tenant has a master key at the HSM. */
  async hasMasterKey(): Promise<Result<boolean>> {
    // Asked again each time: a master key that has been revoked since does not count.
    const name = named(masterKeyName(this.#store.tenant));
    return fromHsm("master-key", async () => {
      const { uniqueIdentifier } = await this.#hsm.request("Locate", {
        attributes: { name, state: WORKING },
      });
      return ok(uniqueIdentifier.length === 1);
    });
  }

  override async alarm(): Promise<void> {
    await this.#store.flush();
    await this.#ledger.sweep();
  }

  /** Verifies an EDK; a key that is not on the kept trust list makes us look for a new one, now and then. */
  async #verifyEdk(token: string): Promise<Edk> {
    const list = await this.#trusted();
    try {
      return await verifyEdk(token, list, seconds());
    } catch (error) {
      const unknown = error instanceof JwsError && error.code === "jws-key";
      if (!unknown || seconds() < this.#trust!.read + TRUST_SECONDS) throw error;
      return verifyEdk(token, await this.#readTrust(), seconds());
    }
  }

  async #trusted(): Promise<TrustList> {
    return this.#trust && this.#trust.list.exp > seconds() ? this.#trust.list : this.#readTrust();
  }

  async #readTrust(): Promise<TrustList> {
    const list = await readTrust(this.#hsm, seconds());
    this.#trust = { list, read: seconds() };
    return list;
  }

  /** What went wrong at the HSM: the reason into the audit log, the kind of failure to the caller. */
  #failed(
    action: string,
    about: { caller: Caller; resource: string; requestId: string },
    error: unknown,
  ): Result<never> {
    const { code, reason } = failureOf(error);
    return authorize<never>(this.#store, { ...about, action }, () => refuse(code, reason));
  }
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
