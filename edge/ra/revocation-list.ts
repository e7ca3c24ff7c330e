import { DurableObject } from "cloudflare:workers";
import { decodeHex } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { readRevocationList } from "#protocol/contract/index.ts";
import { INSTANCES_CA } from "#protocol/hierarchy/index.ts";
import { parseCertificate, revocationListToSign, signedRevocationList } from "#protocol/pki/index.ts";
import { signatureToDer } from "#protocol/pki/signature.ts";
import { authorize } from "../authorize.ts";
import { configuredBound } from "../bound.ts";
import { failureOf, type Hsm, openHsm } from "../hsm/index.ts";
import { ok, type Result, refuse } from "../result.ts";
import { openStore, type Store } from "../store.ts";
import { tenantNamed } from "../tenants.ts";
import { keepList, nextList, noteRevoked, PUBLISHED } from "./published.ts";
import { Publisher } from "./publisher.ts";
import type { Revocation } from "./revocations.ts";
import type { Published } from "./types.ts";
import { x509 } from "./x509.ts";

/** From one list to the end of its validity, seconds, unless it is configured. A new one is made after half of it, or at once when there is more to say. */
const LIST_SECONDS = 24 * 3600;

/**
 * The certificates of one tenant's instances that are revoked, for others than the KMS: a list that the authority's key signs in the HSM (RFC 5280 §5). Each
 * principal's object tells of its own.
 */
export class RaRevocationsObject extends DurableObject<Env> {
  readonly #store: Store;
  readonly #hsm: Hsm;
  readonly #life: number;
  readonly #publisher: Publisher;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = openStore(ctx, { domain: "ra", audit: env.AUDIT_RA, migrations: PUBLISHED });
    this.#hsm = openHsm(env.HSM_RA, env.COFFER_HSM_URL_RA || env.COFFER_HSM_URL);
    this.#life = configuredBound(
      "COFFER_REVOCATION_LIST_SECONDS",
      env.COFFER_REVOCATION_LIST_SECONDS,
      LIST_SECONDS,
    );
    this.#publisher = new Publisher(
      this.#store.sql,
      () => this.#sign(),
      () => seconds(Date.now()),
    );
  }

  /** Takes note of certificates that are revoked. It may be told again: the earlier time and its reason count. */
  revoked(revocations: Revocation[]): Result<null> {
    this.#store.transaction(() => noteRevoked(this.#store.sql, revocations));
    return ok(null);
  }

  /** The list that is good now; a new one where more is revoked than the last one says, or half of its life is over. */
  published(): Promise<Result<Published>> {
    return this.#publisher.published();
  }

  /** Has a list of now signed and keeps it. One at a time. */
  async #sign(): Promise<Result<null>> {
    const { sql, tenant } = this.#store;
    const action = "ra:revocation-list";
    const about = { action, caller: null, requestId: crypto.randomUUID() };
    try {
      const ca = new x509.X509Certificate(await this.#hsm.certificate(INSTANCES_CA.certificate));
      const { keyId } = await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey, false, crypto);
      const now = seconds(Date.now());
      const { number, seen, revoked } = nextList(sql, now);
      const nextUpdate = now + this.#life;
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
        keepList(sql, { der: new Uint8Array(der), number, thisUpdate: now, nextUpdate, seen });
        return ok(null);
      });
    } catch (error) {
      const { code, reason } = failureOf(error);
      return authorize<never>(this.#store, { ...about, resource: "list" }, () => refuse(code, reason));
    }
  }

  override async alarm(): Promise<void> {
    await this.#store.flush();
  }
}

/** What a tenant's certificates name: where their list is. */
export function distributionPoint({ vault }: { vault: string }): string {
  return `${vault}${readRevocationList.path}`;
}
