/** A browser of one user, with an instance in it, and what it does all day. */
import { randomBytes } from "node:crypto";
import type { Part } from "#protocol/contract/index.ts";
import { cookieOf, EdgeClient, newVerifier } from "#test/support/edge-client.ts";
import { json } from "#test/support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "#test/support/instance.ts";
import { type Api, successful } from "./api.ts";
import type { Deployment } from "./deployment.ts";

/** A note of a page, sealed: bytes of its content and of its metadata. */
const CONTENT = 2500;
const METADATA = 1200;
const KEYS = 4;

/** Signs in. At an earlier commit, where no provider was asked, the vault itself takes a name. */
async function signedIn(origins: Deployment, name: string): Promise<EdgeClient> {
  const client = new EdgeClient(origins);
  const verifier = newVerifier();
  const query = await client.query(verifier);
  const entered = await client.identify(name, query).then(
    (transaction) => client.enter(query, transaction),
    () => client.form(`${client.vault}/sign-in`, { name, continue: query }, { origin: client.vault }),
  );
  client.cookie = cookieOf(entered);
  await client.take(entered, verifier);
  return client;
}

export class Browser {
  readonly api: Api;
  readonly #origins: Deployment;
  readonly #name: string;
  client!: EdgeClient;
  #wrapping!: CryptoKeyPair;
  #certificate!: string;
  #edks: string[] = [];
  #documents: string[] = [];
  #turn = 0;

  constructor(api: Api, origins: Deployment, name: string) {
    this.api = api;
    this.#origins = origins;
    this.#name = name;
  }

  /** Signed in, enrolled, with data keys and two documents. `wrapping` is a key pair that others may have too: it is dear. */
  async open(wrapping: CryptoKeyPair): Promise<this> {
    this.client = await signedIn(this.#origins, this.#name);
    this.#wrapping = wrapping;
    await this.enrol();
    await this.dataKeys();
    for (let i = 0; i < 2; i++) await this.seal();
    return this;
  }

  get account(): string {
    return this.client.account;
  }

  /** Another app's window of the same user signs in, and is closed. */
  async signIn(): Promise<void> {
    await signedIn(this.#origins, this.#name);
  }

  async refresh(): Promise<void> {
    const answer = successful("refresh", await this.client.refresh(this.client.tokens.refresh_token));
    this.client.tokens = json(answer);
  }

  async enrol(): Promise<void> {
    const answer = successful("enrol", await enrol(this.client, await makeKeys(this.#wrapping)));
    this.#certificate = json<EnrolmentAnswer>(answer).wrappingCertificate;
  }

  async dataKeys(count = KEYS): Promise<string[]> {
    const body = { account: this.account, count, purpose: "document" };
    const { edks } = json<{ edks: string[] }>(await this.api.ask(this.client, "makeDataKeys", {}, body));
    this.#edks = edks;
    return edks;
  }

  async rewrap(edk = this.#pick(this.#edks)): Promise<void> {
    const body = { edk, certificate: this.#certificate };
    // Until 783953a each way of loading had a route.
    if (this.api.has("rewrapKey")) await this.api.ask(this.client, "rewrapKey", {}, body);
    else await this.api.ask(this.client, "loadKey", {}, { way: "rewrap", ...body });
  }

  async rewrapSeveral(edks: readonly string[]): Promise<void> {
    const body = { way: "several", edks, certificate: this.#certificate };
    await this.api.ask(this.client, "loadKey", {}, body);
  }

  /** For one key, not presented. */
  async grant(): Promise<void> {
    const body = { edks: [this.#pick(this.#edks)], certificate: this.#certificate, life: 1 };
    await this.api.ask(this.client, "grantKeys", {}, body);
  }

  async seal(): Promise<void> {
    const { account } = this;
    const id = crypto.randomUUID().replace(/^(.{14})4/, "$18");
    const fields = { account, id };
    const ask = (operation: string, more: Record<string, string>, body: object) =>
      this.api.ask(this.client, operation, { ...fields, ...more }, body);
    await ask("openUpload", {}, { account, id });
    const part = json<Part>(await ask("uploadPart", { part: "1" }, new Uint8Array(randomBytes(CONTENT))));
    await ask("putMetadata", {}, new Uint8Array(randomBytes(METADATA)));
    await ask("completeUpload", {}, { parts: [part], size: CONTENT });
    if (this.#documents.length < 100) this.#documents.push(id);
  }

  async list(): Promise<void> {
    await this.api.ask(this.client, "listDocuments", { account: this.account });
  }

  async read(): Promise<void> {
    const fields = { account: this.account, id: this.#pick(this.#documents) };
    await this.api.ask(this.client, "readMetadata", fields);
    await this.api.ask(this.client, "readContent", fields);
  }

  /** A decision of the account that costs the HSM and the bucket nothing: an order of an export. */
  async order(): Promise<void> {
    const body = { account: this.account, documents: [crypto.randomUUID()] };
    await this.api.ask(this.client, "orderExport", {}, body);
  }

  #pick<T>(from: T[]): T {
    return from[this.#turn++ % from.length]!;
  }
}
