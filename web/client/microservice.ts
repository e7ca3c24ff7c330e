/**
 * The custodian's side of its microservice: starts it, greets it, and enrols it with a grant (M3) where it has no valid
 * certificate for this custodian. The microservice makes its keys and redeems the grant by itself.
 */

import { issueGrant, nameInstance, openAttestation } from "#protocol/contract/index.ts";
import type { Enrol } from "#protocol/enrolment.ts";
import { CofferError } from "#protocol/error.ts";
import { createPortClient, type InstanceDescription, type PortClient } from "#protocol/port/index.ts";
import { callEmpty, callJson } from "./call.ts";
import { asCofferError } from "./error.ts";
import { authenticate, type CertifiedKey } from "./mutual.ts";
import type { RestClient } from "./rest.ts";
import type { StepListener } from "./steps.ts";
import type { Vault } from "./vault.ts";

/** An enrolled microservice. */
export interface EnrolledMicroservice {
  port: PortClient;
  instance: InstanceDescription;
  /** SHA-384 of the code that runs, `sha384-…`. */
  measurement: string;
}

/** Where a microservice stands, for a status line. `locked`: the person is asked, in the vault's frame, for the passkey that its keys are under. */
export type MicroserviceState =
  | { phase: "idle" | "starting" | "locked" | "enrolling" }
  | { phase: "ready"; measurement: string; instance: InstanceDescription }
  | { phase: "failed"; error: unknown };

/** An instance is renewed when less than this is left (milliseconds), so that it does not end within a transfer. */
const MARGIN = 10 * 60 * 1000;
/** Nothing has to have been under way in a microservice for so long before it is ended, milliseconds: an operation may wait for the network between two calls. */
const QUIET = 30_000;
/** How long a vault may take to delete its keys, milliseconds: a sign-out waits for it. */
const PATIENCE = 5_000;

export interface MicroserviceOptions {
  /** `patience`: how long it may take, milliseconds. */
  open: (patience?: number) => Promise<Vault>;
  rest: Pick<RestClient, "json" | "send">;
  /** Distinguished Name of the signed-in custodian; the instance is bound to it (M13). */
  custodian: () => string;
  /** What it enrols by. Default: a grant. */
  enrolment?: (() => Promise<Enrol>) | undefined;
  /** Origin of the app, and the custodian's certified key: for proofs over the port (M14). */
  app: string;
  certifiedKey: () => Promise<CertifiedKey>;
  now: () => number;
  onState?: ((state: MicroserviceState) => void) | undefined;
  /** Told of each call that has ended. */
  onStep?: StepListener | undefined;
  /** How long `forget` may take, milliseconds. Default: five seconds. */
  patience?: number;
  /** How often to look for another release, milliseconds. Never by default. */
  releases?: number | undefined;
  /** An instance of this microservice has given its place to that of another release, and has ended: nothing is released to it any more. */
  replaced?: ((instance: string) => Promise<void>) | undefined;
  /** How long a release that was replaced has to have had nothing under way, milliseconds. Default: half a minute. */
  quiet?: number;
}

/** What an instance with other keys is started by, and what has to be done before it takes the place of the one `before` it. */
export type OtherKeys = {
  open: (patience?: number) => Promise<Vault>;
  /** `check`, just before what cannot be undone, throws `conflict` where the one before was ended or enrolled anew meanwhile. */
  accept: (enrolled: EnrolledMicroservice, before: EnrolledMicroservice, check: () => void) => Promise<void>;
};

/** A release that was replaced, with its instance, until what is under way in it has ended. */
type Leaving = { port: PortClient; vault: Vault; instance: string; timer?: ReturnType<typeof setTimeout> };

/** One microservice for one page. Started on first use, and only once. */
export class Microservice {
  readonly #options: MicroserviceOptions;
  #enrolled: Promise<EnrolledMicroservice> | undefined;
  #vault: Vault | undefined;
  #port: PortClient | undefined;
  /** Id of an instance that was enrolled here and ends soon, because the sign-in does: another would end no later. */
  #short: string | undefined;
  /** Certificate by which the custodian has proved who it is; undefined where nobody asked for a proof. */
  #proven: string | undefined;
  #proving: Promise<EnrolledMicroservice> | undefined;
  /** Names the start under way, so that one that was stopped does not go on. */
  #run: object | undefined;
  #state: MicroserviceState = { phase: "idle" };
  readonly #leaving = new Set<Leaving>();
  #updating: Promise<boolean> | undefined;
  /** When it was last looked for another release. */
  #looked: number;

  constructor(options: MicroserviceOptions) {
    this.#options = options;
    this.#looked = options.now();
  }

  get state(): MicroserviceState {
    return this.#state;
  }

  /** The enrolled microservice. After a failure the next call tries again; near its end the instance is renewed. */
  async use(): Promise<EnrolledMicroservice> {
    this.#enrolled ??= this.#guard(this.#start());
    const enrolled = await this.#enrolled;
    if (!this.#isValid(enrolled.instance)) return this.renew(enrolled.instance.id);
    if (!(await this.#isProven())) return this.#proveAnew(enrolled);
    const { releases = Number.POSITIVE_INFINITY, now } = this.#options;
    // Who asks goes on with this one meanwhile; what fails is tried again the next time.
    if (now() - this.#looked > releases) this.update().catch(() => {});
    return enrolled;
  }

  /** M14: whether the custodian has the certificate still by which it has proved who it is. Without a network it has. */
  async #isProven(): Promise<boolean> {
    if (this.#proven === undefined) return true;
    const key = await this.#options.certifiedKey().catch(() => undefined);
    return key === undefined || key.certificate === this.#proven;
  }

  /** By the certificate that the custodian has by now; one call for all that wait. */
  async #proveAnew(before: EnrolledMicroservice): Promise<EnrolledMicroservice> {
    const { port, measurement } = before;
    const proven = async () => {
      const { instance, challenge } = await port.hello(this.#options.custodian());
      if (!instance || !this.#isValid(instance)) return this.renew(before.instance.id);
      return this.#restored({ port, measurement, instance }, challenge);
    };
    this.#proving ??= proven().finally(() => {
      this.#proving = undefined;
    });
    return this.#proving;
  }

  /**
   * M21: looks whether the vault has another release than the one that runs, by its measurement, and changes over to it: it enrols beside this
   * one, new calls go to it, and this one ends when nothing has been under way in it for a while. Answers whether it did. What fails leaves this one as it is.
   */
  async update(): Promise<boolean> {
    this.#updating ??= this.#changeOver().finally(() => {
      this.#updating = undefined;
    });
    return this.#updating;
  }

  /**
   * W12: changes over to an instance with other keys, which `keys.open` starts, as to another release. Until `keys.accept` has resolved
   * the one that runs stays as it is; what fails there, or comes after an end, throws, and the other instance is revoked.
   */
  async replaceKeys(keys: OtherKeys): Promise<void> {
    await this.use();
    // One change after the other.
    while (this.#updating) await this.#updating.catch(() => {});
    this.#updating = this.#changeOver(keys).finally(() => {
      this.#updating = undefined;
    });
    if (!(await this.#updating)) throw new CofferError("conflict");
  }

  async #changeOver(keys?: OtherKeys): Promise<boolean> {
    const [current, run] = [this.#enrolled, this.#run];
    if (!current) return false;
    this.#looked = this.#options.now();
    const before = await current;
    const vault = await (keys ?? this.#options).open();
    const port = this.#portOf(vault);
    const [proven, short] = [this.#proven, this.#short];
    let taken = false;
    let made: string | undefined;
    try {
      const { measurement, challenge } = await port.hello(this.#options.custodian());
      if (!keys && measurement === before.measurement) return false;
      // Its own keys: certificates say what code they were issued to.
      const enrolled = await this.#enrolAt({ port, vault, measurement }, challenge);
      made = enrolled.instance.id;
      await keys?.accept(enrolled, before, () => {
        if (this.#run !== run || this.#enrolled !== current) throw new CofferError("conflict");
      });
      const [own, old] = [this.#vault, this.#port];
      // Stopped, or enrolled again, meanwhile.
      if (this.#run !== run || this.#enrolled !== current || !own || !old) return false;
      taken = true;
      [this.#vault, this.#port, this.#enrolled] = [vault, port, Promise.resolve(enrolled)];
      this.#tell({ phase: "ready", measurement, instance: enrolled.instance });
      this.#drain({ port: old, vault: own, instance: before.instance.id });
      return true;
    } finally {
      if (!taken) {
        // Enrolling has changed them. What was stopped or begun anew meanwhile has its own.
        if (this.#run === run) [this.#proven, this.#short] = [proven, short];
        else if (this.#run === undefined) this.#proven = undefined;
        port.close();
        vault.remove();
        if (made !== undefined) this.#options.replaced?.(made).catch(() => {});
      }
    }
  }

  /** Ends a release that was replaced once nothing has been under way in it for a while, and then its instance. */
  #drain(leaving: Leaving, quiet = 0): void {
    const { quiet: needed = QUIET } = this.#options;
    this.#leaving.add(leaving);
    if (quiet >= needed) {
      this.#leave(leaving);
      return;
    }
    const step = Math.max(1, needed / 8);
    leaving.timer = setTimeout(
      () => this.#drain(leaving, leaving.port.underWay > 0 ? 0 : quiet + step),
      step,
    );
  }

  #leave(leaving: Leaving): void {
    clearTimeout(leaving.timer);
    this.#leaving.delete(leaving);
    leaving.port.close();
    leaving.vault.remove();
    this.#options.replaced?.(leaving.instance).catch(() => {});
  }

  /**
   * Enrols again, unless somebody else already replaced the instance named `stale`. `by`: a passkey, which the vault asks the person for;
   * default: as it enrols otherwise.
   */
  async renew(stale: string, by?: "passkey"): Promise<EnrolledMicroservice> {
    const current = this.#enrolled;
    if (!current) return this.use();
    const before = await current;
    if (before.instance.id !== stale) return before;
    // Somebody else came first while this one waited.
    if (this.#enrolled !== current) return this.renew(stale, by);
    this.#enrolled = this.#guard(this.#again(before, by));
    return this.#enrolled;
  }

  /** Greets first: a custodian that is no longer signed in at the vault learns that, and asks for no grant. */
  async #again(
    { port, measurement, instance: stale }: EnrolledMicroservice,
    by: "passkey" | undefined,
  ): Promise<EnrolledMicroservice> {
    const { instance, challenge } = await port.hello(this.#options.custodian());
    if (instance && instance.id !== stale.id && this.#isValid(instance))
      return this.#restored({ port, measurement, instance }, challenge);
    const passkey = by === "passkey" ? () => this.#attestation() : undefined;
    return this.#enrol(port, measurement, challenge, passkey);
  }

  /**
   * Ends the microservice and has the vault delete its keys, for a sign-out; the vault is opened for that if it is not. What
   * cannot be reached in time is left: without the session no instance is used again, and a sign-out must not fail for it.
   */
  async forget(): Promise<void> {
    const { open, patience = PATIENCE } = this.#options;
    const running = this.#port;
    if (!running) this.stop();
    let vault: Vault | undefined;
    let over = false;
    const restart = async () => {
      vault = await open(patience);
      if (over) vault.remove();
      else await createPortClient(vault.port).forget();
    };
    const forgotten = running ? running.forget().catch(restart) : restart();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patience);
    });
    await Promise.race([forgotten.catch(() => {}), late]);
    clearTimeout(timer);
    over = true;
    vault?.remove();
    this.stop();
  }

  /** Ends the microservice of this page. */
  stop(): void {
    this.#run = undefined;
    this.#enrolled = undefined;
    this.#proven = undefined;
    for (const leaving of this.#leaving) this.#leave(leaving);
    this.#port?.close();
    this.#port = undefined;
    this.#vault?.remove();
    this.#vault = undefined;
    this.#tell({ phase: "idle" });
  }

  #portOf({ port }: Vault): PortClient {
    const { onStep } = this.#options;
    return createPortClient(port, onStep && ((call) => onStep({ step: "vault", ...call })));
  }

  #guard(work: Promise<EnrolledMicroservice>): Promise<EnrolledMicroservice> {
    const guarded = work.catch((thrown: unknown) => {
      const error = asCofferError(thrown);
      if (this.#enrolled === guarded) {
        this.stop();
        this.#tell({ phase: "failed", error });
      }
      throw error;
    });
    return guarded;
  }

  async #start(): Promise<EnrolledMicroservice> {
    this.#tell({ phase: "starting" });
    const run = {};
    this.#run = run;
    const vault = await this.#options.open();
    if (this.#run !== run) {
      vault.remove();
      throw new CofferError("port-closed");
    }
    this.#vault = vault;
    const port = this.#portOf(vault);
    this.#port = port;
    const { measurement, instance, challenge } = await this.#greet(port);
    if (!instance || !this.#isValid(instance)) return this.#enrol(port, measurement, challenge);
    return this.#restored({ port, measurement, instance }, challenge);
  }

  /** Where the instance's keys are under a passkey (M4), the person is asked for it first; who goes on without has it enrol again. */
  async #greet(port: PortClient): ReturnType<PortClient["hello"]> {
    const greeted = await port.hello(this.#options.custodian());
    if (!greeted.locked) return greeted;
    this.#tell({ phase: "locked" });
    await port.unlock();
    return port.hello(this.#options.custodian());
  }

  async #enrol(
    port: PortClient,
    measurement: string,
    challenge: string | undefined,
    by?: () => Promise<Enrol>,
  ): Promise<EnrolledMicroservice> {
    this.#tell({ phase: "enrolling" });
    return this.#ready(await this.#enrolAt({ port, vault: this.#vault, measurement }, challenge, by));
  }

  async #enrolAt(
    { port, vault, measurement }: { port: PortClient; vault: Vault | undefined; measurement: string },
    challenge: string | undefined,
    by?: () => Promise<Enrol>,
  ): Promise<EnrolledMicroservice> {
    const { enrolment = () => this.#grant() } = this.#options;
    const instance = await port.enrol(await (by ?? enrolment)());
    if (instance.custodian !== this.#options.custodian()) throw new CofferError("foreign-custodian");
    this.#short = this.#isValid(instance) ? undefined : instance.id;
    const enrolled = { port, measurement, instance };
    await this.#prove(enrolled, vault, challenge);
    await this.#name(port, instance);
    return enrolled;
  }

  /** One of a lost answer is redeemed by nobody, and ends within a minute. */
  async #grant(): Promise<Enrol> {
    const { grant } = await callJson(this.#options.rest, issueGrant, {}, undefined, { tries: 3 });
    return { method: "grant", grant };
  }

  /** M1: a session in which the microservice shows evidence, which is its user's passkey. */
  async #attestation(): Promise<Enrol> {
    const asked = { custodian: this.#options.custodian() };
    const opened = await callJson(this.#options.rest, openAttestation, {}, asked, { tries: 3 });
    const { enrolment, nonce, accepts } = opened;
    return { method: "attestation", enrolment, nonce, accepts };
  }

  /** It was named when it was enrolled; where it was not, it is now, and without a network it works with the keys that it has. */
  async #restored(
    enrolled: EnrolledMicroservice,
    challenge: string | undefined,
  ): Promise<EnrolledMicroservice> {
    await this.#prove(enrolled, this.#vault, challenge);
    await this.#name(enrolled.port, enrolled.instance).catch(() => {});
    return this.#ready(enrolled);
  }

  /** M14: each proves to the other who it is, before a key is used. One that asks for no proof is not taken where there must be one. */
  async #prove(
    { port, measurement, instance }: EnrolledMicroservice,
    vault: Vault | undefined,
    challenge: string | undefined,
  ): Promise<void> {
    const { app: origin, certifiedKey, now } = this.#options;
    if (challenge !== undefined) {
      const key = await certifiedKey();
      await authenticate(port, { challenge, measurement, instance }, { origin, key, now: now() });
      this.#proven = key.certificate;
      return;
    }
    if (vault?.mutual) throw new CofferError("microservice-unproven");
  }

  /** Above level `data` an instance gets tokens when its custodian has named it to the IAM. It begins with the hello that follows. */
  async #name(
    port: PortClient,
    { id, identityCertificate: certificate }: InstanceDescription,
  ): Promise<void> {
    if (certificate === undefined) return;
    await callEmpty(this.#options.rest, nameInstance, { id }, { certificate }, { tries: 3 });
    await port.hello(this.#options.custodian());
  }

  #ready(enrolled: EnrolledMicroservice): EnrolledMicroservice {
    const { measurement, instance } = enrolled;
    this.#tell({ phase: "ready", measurement, instance });
    return enrolled;
  }

  #isValid({ id, custodian, notAfter }: InstanceDescription): boolean {
    const margin = id === this.#short ? 0 : MARGIN;
    return custodian === this.#options.custodian() && Date.parse(notAfter) - this.#options.now() > margin;
  }

  #tell(state: MicroserviceState): void {
    this.#state = state;
    this.#options.onState?.(state);
  }
}
