import type { Claims } from "#protocol/evidence/index.ts";
import { roleOf } from "#protocol/hierarchy/index.ts";
import { type Credential, hasAttestation, KmipError, type RequestHeader } from "#protocol/kmip/index.ts";
import type { Log } from "../log.ts";
import type { Subject } from "../policy/access.ts";
import type { OperationPolicies } from "../policy/operation-policy.ts";
import { Attempts } from "./attempts.ts";
import { Attestation, attestationFailed, consumeNonces, evidenceOf, isCapable } from "./attestation.ts";
import { Nonces } from "./nonces.ts";
import type { Principals, Shown } from "./principals.ts";
import type { Session, Tickets } from "./tickets.ts";

/** Who asks, what they have shown, and (with a delegated ticket) how little they may do. */
export interface Authenticated {
  subject: Subject;
  attestation: Attestation;
  session?: Session;
  /** What the response header says back to a Hashed Password. */
  serverHashedPassword?: Uint8Array<ArrayBuffer>;
}

export interface AuthenticationOptions {
  principals: Principals;
  policies: OperationPolicies;
  tickets: Tickets;
  /** Roots (DER) of the platforms whose evidence is accepted. */
  roots: readonly Uint8Array[];
  log: Log;
}

/**
 * KMIP Profiles 2.1 §3.1 Basic Authentication Suite: a Credential in the message, where there is one, gives the identity; else the channel does.
 * An Attestation Credential gives none: it may come beside. One that is not understood or not right refuses the
 * message: it is never passed over.
 */
export class Authentication {
  #options: AuthenticationOptions;
  #attempts = new Attempts();
  readonly nonces = new Nonces();

  constructor(options: AuthenticationOptions) {
    this.#options = options;
  }

  /** `identity`: that of the channel. */
  async authenticate(header: RequestHeader, identity: string, now: Date): Promise<Authenticated> {
    const { roots } = this.#options;
    const fresh = consumeNonces(header, identity, this.nonces, now);
    const role = roleOf(identity);
    if (role === undefined) throw refused();
    const capable = isCapable(header, roots, identity);
    const { authentication } = header;
    if (!authentication) return { subject: this.#subject(identity), attestation: new Attestation(capable) };
    const credentials = authentication.credential ?? [];
    // The domains of a deployment are who their certificate says, whatever a message adds.
    if (role !== "user" || credentials.length === 0) throw refused();
    const attesting = credentials.filter(isAttestation);
    const naming = credentials.filter((one) => !isAttestation(one));
    if (attesting.length > 1 || naming.length > 1) throw refused();
    const named = naming[0]
      ? await this.#named(naming[0], identity, now)
      : { subject: this.#subject(identity) };
    const evidence = attesting[0] && (await this.#evidence(attesting[0], header, identity, now, fresh));
    return { ...named, attestation: new Attestation(capable, evidence) };
  }

  async #named(
    credential: Credential,
    channel: string,
    now: Date,
  ): Promise<Omit<Authenticated, "attestation">> {
    const { principals, tickets } = this.#options;
    if (credential.credentialType === "Ticket") {
      const value = credential.credentialValue.ticket?.ticketValue;
      if (!value) throw refused();
      const session = tickets.redeem(value, channel, now);
      const subject = this.#userNamed(session.identity);
      return { subject: session.rights ? { ...subject, limited: true } : subject, session };
    }
    const shown = await this.#attempts.attempt<Shown>(channel, now, () => principals.shown(credential, now));
    if (!shown) throw refused();
    const { identity, ...others } = shown;
    return { subject: this.#userNamed(identity), ...others };
  }

  /** Nothing in a message makes anybody more than a user. */
  #userNamed(identity: string): Subject {
    const subject = this.#subject(identity);
    if (subject.role !== "user") throw refused();
    return subject;
  }

  /** Whose groups are those of the configuration, whatever the message says. */
  #subject(identity: string): Subject {
    const role = roleOf(identity);
    if (role === undefined) throw refused();
    const { principals, policies } = this.#options;
    return {
      identity,
      role,
      permissions: policies.for(principals.groupsOf(identity)),
      operations: policies.operations,
    };
  }

  async #evidence(
    credential: Credential,
    { protocolVersion }: RequestHeader,
    channel: string,
    now: Date,
    fresh: ReadonlySet<Credential>,
  ): Promise<Claims> {
    const { roots, log } = this.#options;
    try {
      if (!hasAttestation(protocolVersion)) throw new Error("not in this protocol version");
      if (!fresh.has(credential)) throw new Error("no nonce of this client is open");
      return await evidenceOf(credential, roots, channel, now);
    } catch (error) {
      const message = error instanceof Error ? error.message : "unknown";
      log({ event: "attestation", identity: channel, message });
      throw attestationFailed();
    }
  }
}

function isAttestation({ credentialType }: Credential): boolean {
  return credentialType === "Attestation";
}

function refused(): KmipError {
  return new KmipError("AuthenticationNotSuccessful", "The client is not who it says");
}
