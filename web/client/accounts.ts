/** Accounts of the user who is signed in and their keys (W10, W11), and the user's instances. Times are seconds since 1970. */

import {
  type AnswerOf,
  addKeyVersion,
  cancelAccountDeletion,
  cancelKeyDeletion,
  changeOwnKey,
  createAccount,
  type DataKeyVersion,
  type DeletionRequest,
  type KeptKey,
  listAccountStates,
  listInstances,
  listKeyVersions,
  listPasskeys,
  readAccount,
  readAudit,
  readKeptKeys,
  removePasskey,
  renewAccountKey,
  revokeInstance,
  scheduleAccountDeletion,
  scheduleKeyDeletion,
} from "#protocol/contract/index.ts";
import { codeOf } from "#protocol/error.ts";
import { callEmpty, callJson } from "./call.ts";
import type { RestClient } from "./rest.ts";
import type { Held } from "./steps.ts";

export type { DataKeyVersion, DeletionRequest, KeptKey };
export type AccountState = AnswerOf<typeof readAccount>;
export type Instance = AnswerOf<typeof listInstances>["instances"][number];

export type Passkey = AnswerOf<typeof listPasskeys>["passkeys"][number];

/** A page of the audit log: the newest first; with what `before` says, the next one. */
export type AuditPage = AnswerOf<typeof readAudit>;

/** `by`: who makes the new version. The HSM where it is not said, and where that has no master key, the instance. */
export type RotateDataKeyOptions = { by?: "instance" | undefined };

/** The next version of the account's data key, or of the account key itself. */
type MakeKey = (account: string, key?: "account") => Promise<{ keyId: string; keyVersion: number }>;

export class Accounts {
  readonly #rest: RestClient;
  readonly #renew: () => Promise<unknown>;
  readonly #rotated: (account: string) => void;

  readonly #make: MakeKey;

  /**
   * Gives the microservice another app-specific key (W12), to which the tenant's master key is released at level `master`: a symmetric one at
   * once, in the place of a pair another one by another enrolment, and the instance before is revoked. Errors: `conflict` where the host
   * still has the same pair, `recovery-needed` where a ceremony has to come first.
   */
  readonly rotateAppKey: () => Promise<void>;

  /**
   * Which decrypted keys the vault holds, and for how many milliseconds still; and what it has asked the edge for itself, with the status
   * of each answer, since this was asked last. No key is used or given for it, and nobody but the vault is asked.
   *
   * @example
   * const { keys, drop } = await coffer.manage((life) => life.held());
   * if (keys.length > 0) await drop();
   */
  readonly held: () => Promise<Held>;

  /**
   * `renew` gets new tokens, which say what accounts the user has; `rotated` is told of an account that has another key; `make` has the
   * microservice make a key, where the key store has no master key to make it under; `rotateAppKey` and `held` as above.
   */
  constructor(
    rest: RestClient,
    renew: () => Promise<unknown>,
    rotated: (account: string) => void,
    make: MakeKey,
    rotateAppKey: () => Promise<void>,
    held: () => Promise<Held>,
  ) {
    this.#rotated = rotated;
    this.#rest = rest;
    this.#renew = renew;
    this.#make = make;
    this.rotateAppKey = rotateAppKey;
    this.held = held;
  }

  /** Another account, whose only member the user is. Errors: `quota-exceeded`. */
  async create(name: string): Promise<{ id: string; name: string }> {
    const wanted = { name, nonce: crypto.randomUUID() };
    const created = await callJson(this.#rest, createAccount, {}, wanted, { tries: 3 });
    await this.#renew();
    return created;
  }

  /** Of an account that is scheduled for deletion too: `ends` says when. */
  state(account: string): Promise<AccountState> {
    return callJson(this.#rest, readAccount, { account }, undefined);
  }

  /** Of all the user's accounts, those that are scheduled for deletion too, fifty a request. */
  async states(): Promise<AccountState[]> {
    const found: AccountState[] = [];
    for (let after: string | undefined; ; ) {
      const query = after === undefined ? {} : { after };
      const { accounts, next } = await callJson(this.#rest, listAccountStates, query, undefined);
      found.push(...accounts);
      if (next === undefined || (after !== undefined && next <= after)) return found;
      after = next;
    }
  }

  /**
   * Deletes the account with its keys and documents, in 30 days unless `how` says another number from 7 to 30, or at once. Until then
   * nothing of it opens (`pending-deletion`) and `keep` cancels it. Resolves with when that is.
   */
  async delete(account: string, how: DeletionRequest = {}): Promise<number> {
    const { ends } = await callJson(this.#rest, scheduleAccountDeletion, { account }, how, { tries: 3 });
    if (how.immediately) await this.#renew();
    return ends;
  }

  /** Cancels the account's deletion. Errors: `forbidden` where its time has come. */
  keep(account: string): Promise<void> {
    return callEmpty(this.#rest, cancelAccountDeletion, { account }, undefined, { tries: 3 });
  }

  /** Gives the account another key; what was sealed before opens as before. */
  async rotateKey(account: string): Promise<{ id: string; version: number }> {
    try {
      return await callJson(this.#rest, renewAccountKey, { account }, undefined);
    } catch (error) {
      if (codeOf(error) !== "strict-tenant") throw error;
      const { keyId: id, keyVersion: version } = await this.#make(account, "account");
      return { id, version };
    } finally {
      // After a lost answer too.
      this.#rotated(account);
    }
  }

  /** Versions of the app's data key, the newest first. None at level `data`, where each document has a key of its own. */
  async keys(account: string): Promise<DataKeyVersion[]> {
    return (await callJson(this.#rest, listKeyVersions, { account }, undefined)).versions;
  }

  /**
   * The next version of the data key. By the instance it is made in the microservice, encrypted under the account key, and kept in the HSM.
   * Errors: `conflict` at level `data`, or by an instance `key-missing`.
   */
  async rotateDataKey(
    account: string,
    { by }: RotateDataKeyOptions = {},
  ): Promise<{ keyId: string; keyVersion: number }> {
    if (by === "instance") return this.#make(account);
    try {
      return await callJson(this.#rest, addKeyVersion, { account }, undefined);
    } catch (error) {
      if (codeOf(error) !== "strict-tenant") throw error;
      return this.#make(account);
    }
  }

  /** Deletes a version (`<keyId>.<keyVersion>`), as `delete` does an account. Errors: `conflict` for the newest one. */
  async deleteDataKey(account: string, key: string, how: DeletionRequest = {}): Promise<number> {
    const of = { account, key };
    return (await callJson(this.#rest, scheduleKeyDeletion, of, how, { tries: 3 })).ends;
  }

  keepDataKey(account: string, key: string): Promise<void> {
    return callEmpty(this.#rest, cancelKeyDeletion, { account, key }, undefined, { tries: 3 });
  }

  /**
   * Encrypted copies that the KMS has in memory now, of the account's data keys at levels `account` and `master`, and for how many
   * milliseconds still; with the id of one of the user's instances, also of the master key for that one. None is fetched for it.
   */
  async kept(account: string, instance?: string): Promise<KeptKey[]> {
    const of = { account, ...(instance && { instance }) };
    return (await callJson(this.#rest, readKeptKeys, of, undefined)).keys;
  }

  /**
   * When a data key of the tenant itself that the user has ordered in this app (`<keyId>.<keyVersion>`) is deleted, at least a day ahead; null calls it off.
   * It is given to nobody from now on. Errors: `forbidden` where an admin has decided on it, `not-found`, `conflict`.
   */
  async endOwnKey(key: string, ends: number | null): Promise<void> {
    await callJson(this.#rest, changeOwnKey, { key }, { ends }, { tries: 3 });
  }

  /**
   * What was decided about an account that the user owns, about the user by the own id, or, by an auditor, about anybody or with no
   * `subject` about the tenant. Errors: `forbidden`, also in an app other than the one that ships with the deployment.
   */
  audit(of: { subject?: string | undefined; before?: string | undefined } = {}): Promise<AuditPage> {
    const { subject, before } = of;
    const query = { ...(subject !== undefined && { subject }), ...(before !== undefined && { before }) };
    return callJson(this.#rest, readAudit, query, undefined);
  }

  /** The user's instances, the newest first. */
  async instances(): Promise<Instance[]> {
    return (await callJson(this.#rest, listInstances, {}, undefined)).instances;
  }

  /** No key is released to it any more; the others go on. */
  revokeInstance(id: string): Promise<void> {
    return callEmpty(this.#rest, revokeInstance, { id }, undefined, { tries: 3 });
  }

  /** The user's passkeys, newest first: `offerPasskey` of a page has the vault register one. */
  async passkeys(): Promise<Passkey[]> {
    return (await callJson(this.#rest, listPasskeys, {}, undefined)).passkeys;
  }

  /** It vouches for no instance from then on; those that it has vouched for go on. */
  removePasskey(id: string): Promise<void> {
    return callEmpty(this.#rest, removePasskey, { id }, undefined, { tries: 3 });
  }
}
