import { type AuthorizeRequest, authorize } from "../authorize.ts";
import type { Caller, InstanceCaller } from "../caller.ts";
import type { Enrolled } from "../enrolled.ts";
import { failureOf, type Hsm } from "../hsm/index.ts";
import type { Ledger } from "../hsm/keys/index.ts";
import type { AccountKey, ReceivingKey } from "../iam/types.ts";
import type { Member, Person } from "../person.ts";
import type { Recipient } from "../ra/types.ts";
import { type Decision, type Problem, type Refusal, type Result, refuse } from "../result.ts";
import type { Store } from "../store.ts";
import type { DataKeyBackEnd } from "./back-ends/back-end.ts";
import { isStrict, StrictTenant } from "./master-key.ts";
import type { Policies } from "./policies.ts";
import type { Trust } from "./trust.ts";

type OfAccount = { tenant: string; account: string; caller: Caller };

/** What the KMS needs of its neighbours. */
export interface Neighbours {
  IAM: {
    /** Whether the caller is signed in and a member of the account. */
    member(of: OfAccount): Promise<Result<Member>>;
    /** The same, and the account's key: the one of this id if there is one, or the current one. */
    accountKey(of: OfAccount & { id?: string }): Promise<Result<AccountKey & { by: Member }>>;
    /** The key of another account of the tenant, for what the caller shares with it. */
    receivingKey(of: OfAccount & { from: string }): Promise<Result<ReceivingKey>>;
    /** Whether there is such an account of the tenant, whose deletion is not scheduled. */
    receives(of: OfAccount): Promise<Result<null>>;
    /** Enc(account) for an instance that asks itself: the current key, or that of the id. */
    encryptedAccountKey(caller: InstanceCaller, account: string, id?: string): Promise<Result<AccountKey>>;
    /** How many accounts of an earlier release the list of a rotation lacks. */
    unlisted(of: { tenant: string }): Promise<Result<number>>;
    /** Whether the caller is signed in, where no account is at stake. */
    signedIn(caller: Caller): Promise<Result<Person>>;
    /** Whether the caller, signed in, administers the tenant; recorded as about that resource. */
    administrator(caller: Caller, resource: string): Promise<Result<null>>;
  };
  RA: {
    recipient(of: { tenant: string; user: string; thumbprint: string }): Promise<Result<Recipient>>;
    /** An instance that asks for itself. */
    instance(of: {
      tenant: string;
      user: string;
      instance: string;
      identityCertificate?: string;
    }): Promise<Result<Enrolled>>;
  };
}

/** Through the doors that are the KMS's. */
export function neighboursOf(env: Pick<Env, "IAM_FOR_KMS" | "RA_FOR_KMS">): Neighbours {
  return { IAM: env.IAM_FOR_KMS, RA: env.RA_FOR_KMS };
}

/** The object before the IAM has said that the caller is a member of the account: nothing may be written yet. */
export interface Door {
  neighbours: Neighbours;
  /** For members: the account's state, all of it here. */
  enter(): Promise<Context>;
  /** For others. Recorded, if the account is there. */
  refuse(about: AuthorizeRequest, refusal: Refusal): Result<never>;
}

/** What the parts of the KMS work with; made by the account's object. */
export interface Context {
  store: Store;
  hsm: Hsm;
  ledger: Ledger;
  /** Of data keys. */
  backEnd: DataKeyBackEnd;
  /** How many keys of an account may live in it. */
  mostResident: number;
  trust: Trust;
  /** That stand on the tenant or on all. Throws where nobody can read them: then nothing is decided. */
  policies: () => Policies;
  neighbours: Neighbours;
  /** The tenant's object, which says how much of the HSM's time the tenant may take now. */
  turns(): Turns;
}

/** What is bounded for a whole tenant, as its object answers for it. */
export interface Turns {
  /** M17: whether this user may have so many RSA pairs made now. */
  pairTurns(user: string, count: number): Promise<Decision<null>>;
  /** M9: whether this user may have a grant for keys of a seed now. */
  seedTurn(user: string): Promise<Decision<null>>;
  /** M9: whether one more derivation from a seed may begin. Who began it ends it. */
  beginSeed(name: string): Promise<Decision<null>>;
  endSeed(name: string): Promise<void>;
}

/** Runs what an object is given one after the other. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** Who asks, and about what: for the audit log. */
export type About = { caller: Caller; resource: string; requestId: string };

/** Who asks: with what they are in the account, where there is one. */
export type Asking = Person & Partial<Pick<Member, "as">>;

/** Of whom asks about an account that they are a member of it, and of whom asks about none that they are signed in. */
export function askPerson(
  { IAM }: Pick<Neighbours, "IAM">,
  caller: Caller,
  account: string | undefined,
): Promise<Result<Asking>> {
  if (account === undefined) return IAM.signedIn(caller);
  return IAM.member({ tenant: caller.tenant, account, caller });
}

/** As policies name a key, by its id; `new`: one that is made. */
export function resourceOf(id: string, account: string | undefined): string {
  return account === undefined ? `keys/${id}` : `accounts/${account}/keys/${id}`;
}

/** As the IAM has it. */
export function noMember({ code }: Problem): Refusal {
  return refuse(code, "the IAM knows no such member");
}

/** What went wrong at the HSM: the reason into the audit log, the kind of failure to the caller. */
export function failed(
  { store }: Pick<Context, "store">,
  action: string,
  about: Omit<AuthorizeRequest, "action">,
  error: unknown,
): Result<never> {
  const { code, reason } =
    error instanceof StrictTenant
      ? { code: error.code, reason: "the HSM has no master key" }
      : failureOf(error);
  return authorize<never>(store, { ...about, action }, () => refuse(code, reason));
}

/** The same of what takes the tenant's master key in the HSM: where that is not there on purpose, the caller is told so. */
export async function failedUnderMaster(
  kms: Pick<Context, "store" | "hsm">,
  action: string,
  about: Omit<AuthorizeRequest, "action">,
  error: unknown,
): Promise<Result<never>> {
  const strict = failureOf(error).code === "hsm-refused" && (await isStrict(kms.hsm, kms.store.tenant));
  return failed(kms, action, about, strict ? new StrictTenant("strict-tenant") : error);
}
