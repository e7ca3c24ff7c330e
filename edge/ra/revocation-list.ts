import { DurableObject } from "cloudflare:workers";
import { decodeHex } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { INSTANCES_CA } from "#protocol/hierarchy/index.ts";
import { parseCertificate, revocationListToSign, signedRevocationList } from "#protocol/pki/index.ts";
import { signatureToDer } from "#protocol/pki/signature.ts";
import { authorize } from "../authorize.ts";
import { configuredBound } from "../bound.ts";
import { failureOf, type Hsm, openHsm } from "../hsm/index.ts";
import { fail, ok, type Result, refuse } from "../result.ts";
import { openStore, type Store } from "../store.ts";
import { tenantNamed } from "../tenants.ts";
import { CERTIFICATE_SECONDS } from "./enrol.ts";
import { isFirstNamed, keepLife, keepList, nextList, noteRevoked, PUBLISHED } from "./published.ts";
import { type Made, Publisher, Turns } from "./publisher.ts";
import { distributionPoint, FIRST_LIST, type Revocation } from "./revocations.ts";
import type { Published } from "./types.ts";
import { x509 } from "./x509.ts";

/** From one list to the end of its validity, seconds, unless it is configured. A new one is made after half of it, or at once when there is more to say. */
const LIST_SECONDS = 24 * 3600;

/**
 * The certificates of one tenant's instances that are revoked, for others than the KMS: lists that the authority's key signs in the HSM (RFC 5280 §5), by the
 * last octet of serial numbers. Each principal's object tells of its own.
 */
export class RaRevocationsObject extends DurableObject<Env> {
  readonly #store: Store;
  readonly #hsm: Hsm;
  readonly #life: number;
  readonly #turns: Turns;
  readonly #publishers = new Map<number, Publisher>();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#store = openStore(ctx, { domain: "ra", audit: env.AUDIT_RA, migrations: PUBLISHED });
    this.#hsm = openHsm(env.HSM_RA, env.COFFER_HSM_URL_RA || env.COFFER_HSM_URL);
    this.#life = configuredBound(
      "COFFER_REVOCATION_LIST_SECONDS",
      env.COFFER_REVOCATION_LIST_SECONDS,
      LIST_SECONDS,
    );
    keepLife(
      this.#store.sql,
      configuredBound("COFFER_INSTANCE_SECONDS", env.COFFER_INSTANCE_SECONDS, CERTIFICATE_SECONDS),
    );
    this.#turns = new Turns((list) => this.#sign(list), clock);
  }

  /** Takes note of certificates that are revoked. It may be told again: the earlier time and its reason count. */
  revoked(revocations: Revocation[]): Result<null> {
    this.#store.transaction(() => noteRevoked(this.#store.sql, revocations, clock()));
    return ok(null);
  }

  /** A list that is good now; a new one where more is revoked than the last one says, or half of its life is over. Errors: `not-found`. */
  async published(list: number): Promise<Result<Published>> {
    // A list that says nothing of today's certificates must not be taken for one that does.
    if (list === FIRST_LIST && !isFirstNamed(this.#store.sql, clock())) return fail("not-found");
    const publisher =
      this.#publishers.get(list) ?? new Publisher(this.#store.sql, list, () => this.#turns.make(list), clock);
    this.#publishers.set(list, publisher);
    return publisher.published();
  }

  /** Has a list of now signed and keeps it. One at a time. */
  async #sign(list: number): Promise<Made> {
    const { sql, tenant } = this.#store;
    const action = "ra:revocation-list";
    const about = { action, caller: null, requestId: crypto.randomUUID() };
    try {
      const ca = new x509.X509Certificate(await this.#hsm.certificate(INSTANCES_CA.certificate));
      const { keyId } = await x509.AuthorityKeyIdentifierExtension.create(ca.publicKey, false, crypto);
      const now = clock();
      const next = nextList(sql, list, now);
      if (!next) {
        authorize<never>(this.#store, { ...about, resource: `list/${list}` }, () =>
          refuse("hsm-refused", "the list is too long for a message to the HSM"),
        );
        return "too-long";
      }
      const { number, seen, revoked } = next;
      const nextUpdate = now + this.#life;
      const toSign = revocationListToSign({
        issuer: parseCertificate(new Uint8Array(ca.rawData)).subject,
        keyIdentifier: decodeHex(keyId ?? ""),
        ...{ number, thisUpdate: now, nextUpdate, revoked },
        distributionPoint: distributionPoint(tenantNamed(this.env, tenant).vault, list),
      });
      const der = signedRevocationList(
        toSign,
        signatureToDer(await this.#hsm.sign(INSTANCES_CA.key, toSign)),
      );
      return authorize(this.#store, { ...about, resource: `list/${list}/${number}` }, () => {
        keepList(sql, list, { der: new Uint8Array(der), number, thisUpdate: now, nextUpdate, seen });
        return ok(null);
      });
    } catch (error) {
      const { code, reason } = failureOf(error);
      return authorize<never>(this.#store, { ...about, resource: `list/${list}` }, () =>
        refuse(code, reason),
      );
    }
  }

  override async alarm(): Promise<void> {
    await this.#store.flush();
  }
}

/** Seconds since 1970. */
function clock(): number {
  return seconds(Date.now());
}
