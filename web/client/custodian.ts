/** The parts of a custodian, put together for one host: the sign-in, REST, the microservice, data keys and documents. */

import { CofferError } from "#protocol/error.ts";
import { delay, type WaitListener } from "#protocol/patience.ts";
import { Documents } from "./documents.ts";
import type { Host } from "./host.ts";
import { DataKeys } from "./keys.ts";
import { Microservice, type MicroserviceState } from "./microservice.ts";
import { RestClient } from "./rest.ts";
import { CustodianSession } from "./session.ts";
import type { Identity } from "./sign-in.ts";

export interface CustodianOptions {
  /** Origin of the vault, which signs in and holds the microservice. */
  vault: string;
  /** OAuth client identifier that the app is registered under. Default: its origin, as the IAM registers apps. */
  client?: string | undefined;
  /** Where the vault sends the browser back to. Default: the root of the app's origin. */
  redirectUri?: string | undefined;
  /** Called with how long a request waits because the server asked to come later, milliseconds. */
  onWait?: WaitListener | undefined;
  onState?: ((state: MicroserviceState) => void) | undefined;
}

export class Custodian {
  readonly session: CustodianSession;
  readonly rest: RestClient;
  readonly microservice: Microservice;
  readonly keys: DataKeys;
  readonly documents: Documents;

  constructor({ vault, client, redirectUri, onWait, onState }: CustodianOptions, host: Host) {
    const { app, fetch, now, lock, store, openVault: open } = host;
    this.session = new CustodianSession({
      vault,
      app,
      client: client ?? app,
      redirectUri: redirectUri ?? `${app}/`,
      store,
      fetch,
      now,
      lock,
      onWait,
    });
    this.rest = new RestClient({ origin: app, session: this.session, fetch, delay, onWait });
    const { rest } = this;
    const custodian = () => this.signedIn.custodian.dn;
    this.microservice = new Microservice({ open, rest, custodian, now, onState });
    this.keys = new DataKeys(rest, this.microservice);
    this.documents = new Documents({
      rest,
      microservice: this.microservice,
      keys: this.keys,
      tenant: () => this.signedIn.tenant,
      accounts: () => this.accounts,
    });
  }

  /** Who is signed in. Error: `signed-out`. */
  get signedIn(): Identity {
    const { identity } = this.session;
    if (!identity) throw new CofferError("signed-out");
    return identity;
  }

  /** Ids of the accounts that the user may act for. */
  get accounts(): string[] {
    return this.signedIn.accounts.map(({ id }) => id);
  }

  /** The account of this id, or the first. Error: `no-account`. */
  account(wanted?: string): string {
    const account = wanted === undefined ? this.accounts[0] : this.accounts.find((id) => id === wanted);
    if (account === undefined) throw new CofferError("no-account");
    return account;
  }
}
